// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// While it lives, this thread gets no signals, nor does a thread that it starts: those are for the agent's own.
#pragma once

#include <csignal>
#include <pthread.h>

namespace sallyport {

class SignalsBlocked
{
public:
    SignalsBlocked() noexcept
    {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

}  // namespace sallyport
