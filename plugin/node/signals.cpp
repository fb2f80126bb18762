// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "signals.hpp"

#include "sallyport/error.hpp"

#include <sys/signalfd.h>

#include <cerrno>

namespace sallyport {

Signals::Signals()
{
    sigset_t ours;
    sigemptyset(&ours);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP})
        sigaddset(&ours, signal);
    pthread_sigmask(SIG_BLOCK, &ours, &before_);
    fd_ = UniqueFd(::signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_)
        throw Error(Code::io_failure, "signalfd: " + errno_text(errno));
}

Signals::~Signals()
{
    while (take()) {  // or one that came meanwhile would end the process now
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> Signals::take() const
{
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info))
        return std::nullopt;
    return static_cast<int>(info.ssi_signo);
}

}  // namespace sallyport
