// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/given_up.hpp"

#include "sallyport/error.hpp"

#include <fstream>
#include <string>
#include <system_error>

namespace sallyport {

namespace {

std::filesystem::path file_in(const std::filesystem::path& state_dir)
{
    return state_dir / "given-up";
}

/// Neither part has a blank (parse_request()).
std::string line_of(const AttachmentId& pod)
{
    return pod.container_id + ' ' + pod.ifname;
}

}  // namespace

void note_given_up(const std::filesystem::path& state_dir, const std::vector<AttachmentId>& pods)
{
    if (pods.empty())
        return;
    std::ofstream file(file_in(state_dir), std::ios::app);
    for (const AttachmentId& pod : pods)
        file << line_of(pod) << '\n';
    file.close();
    if (!file)
        throw Error(Code::io_failure, "note in " + file_in(state_dir).string() +
                                          " whose node ports are given up: it can't be written; make room there, or "
                                          "make the directory writable");
}

bool has_given_up(const std::filesystem::path& state_dir) noexcept
{
    std::error_code ignored;
    return std::filesystem::exists(file_in(state_dir), ignored);
}

bool was_given_up(const std::filesystem::path& state_dir, const AttachmentId& pod) noexcept
{
    try {
        const std::string wanted = line_of(pod);
        std::ifstream file(file_in(state_dir));
        for (std::string line; std::getline(file, line);)
            if (line == wanted)
                return true;
    } catch (const std::exception&) {
        return false;
    }
    return false;
}

}  // namespace sallyport
