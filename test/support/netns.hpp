// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A network namespace of the sandbox, held by a file below /run/netns as `ip netns` and container runtimes do it.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>

namespace sallyport::test {

class Namespace
{
public:
    /// Makes a new one, with its loopback device up.
    explicit Namespace(std::string name);
    Namespace(const Namespace&) = delete;
    Namespace& operator=(const Namespace&) = delete;
    ~Namespace();

    const std::string& name() const { return name_; }
    std::filesystem::path path() const;
    int fd() const { return fd_.get(); }

    /// Lets go of it. It dies here, with its devices, unless a socket or process still keeps it.
    void remove() noexcept;

    /// Runs `work` inside, in a thread of its own, and hands on what it returns or throws. Sockets made there stay
    /// there.
    template <typename Work>
    auto run(Work work) const -> decltype(work())
    {
        using Result = decltype(work());
        std::exception_ptr failure;
        if constexpr (std::is_void_v<Result>) {
            std::thread([&] { guarded(failure, work); }).join();
            if (failure)
                std::rethrow_exception(failure);
        } else {
            Result result{};
            std::thread([&] { guarded(failure, [&] { result = work(); }); }).join();
            if (failure)
                std::rethrow_exception(failure);
            return result;
        }
    }

    /// `key` as below /proc/sys: "net/ipv4/ip_forward".
    void set_sysctl(const std::string& key, std::string_view value) const;

    /// Runs a batch of iproute2 commands inside.
    void ip(const std::string& batch) const;

    /// Transmit checksum offload of a device, and with it segmentation offload. Without it, a checksum that nobody
    /// fixed is wrong at the receiver; with it, packets on a veth are never checked, and are large.
    void set_offload(const std::string& device, bool on) const;

private:
    void enter() const;

    template <typename Work>
    void guarded(std::exception_ptr& failure, Work&& work) const noexcept
    {
        try {
            enter();
            work();
        } catch (...) {
            failure = std::current_exception();
        }
    }

    std::string name_;
    UniqueFd fd_;
};

}  // namespace sallyport::test
