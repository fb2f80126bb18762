// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// SIGTERM, SIGINT and SIGHUP as something to read. To be made before any other thread: those inherit that the signals
// wait to be read.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <csignal>
#include <optional>

namespace sallyport {

class Signals
{
public:
    Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals();  ///< as it was before

    int fd() const { return fd_.get(); }

    /// The next one that has come; nullopt where none has.
    std::optional<int> take() const;

private:
    sigset_t before_{};
    UniqueFd fd_;
};

}  // namespace sallyport
