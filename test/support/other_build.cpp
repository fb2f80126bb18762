// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/other_build.hpp"

#include "support/content.hpp"

#include <sys/stat.h>

#include <fstream>
#include <stdexcept>

namespace sallyport::test {

std::string other_build(const Node& node)
{
    std::string bytes = content(sallyport_binary());
    std::size_t changed = 0;
    for (const std::string line : {"int node_ingress(struct", "int node_egress(struct"})
        for (std::size_t at = bytes.find(line); at != std::string::npos; at = bytes.find(line, at + 1), changed++)
            bytes[at] = 'I';
    const std::filesystem::path copy = node.directory() / "sallyport-of-another-build";
    std::ofstream(copy, std::ios::binary) << bytes;
    if (changed == 0 || chmod(copy.c_str(), 0755) != 0)
        throw std::runtime_error("no other build can be made of " + sallyport_binary());
    return copy.string();
}

}  // namespace sallyport::test
