// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/node/config_file.hpp"

#include "sallyport/error.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <fcntl.h>

#include <array>
#include <cerrno>

namespace sallyport {

namespace {

constexpr std::size_t largest = 1 << 20;  ///< of a ConfigMap, as Kubernetes has it

std::string read_all(const std::filesystem::path& path)
{
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::string text;
    std::array<char, 4096> buffer;
    ssize_t count = file ? 1 : -1;
    while (count > 0 && text.size() <= largest) {
        count = ::read(file.get(), buffer.data(), buffer.size());
        if (count > 0)
            text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    if (count < 0)
        throw Error(Code::io_failure, "read it: " + errno_text(errno) +
                                          "; it is the plugin's entry of a conflist, which the DaemonSet mounts from a "
                                          "ConfigMap; `--config` names another");
    if (text.size() > largest)
        throw Error(Code::invalid_network_config, "it is larger than a ConfigMap can be");
    return text;
}

}  // namespace

bool ConfigFile::refresh(const std::function<void(const Config& before, const Config& next)>& accept)
{
    try {
        std::string text = read_all(path_);
        if (config_ && text == text_)
            return false;
        Config next = parse_entry(text);
        if (config_)
            accept(*config_, next);
        config_ = std::move(next);
        text_ = std::move(text);
        return true;
    } catch (const Error& error) {
        const Error named = error.during(path_.string());
        if (!config_)
            throw error.during(path_.string());
        throw Error(named.code(),
                    std::string(named.what()) + "; until then, the configuration before it stays in force");
    }
}

}  // namespace sallyport
