// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/os/worker.hpp"

#include "sallyport/error.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace sallyport {

namespace {

/// While it lives, this thread gets no signals, nor does a thread that it starts.
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

}  // namespace

Worker::Worker(const std::string& what) : stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
{
    if (!stop_)
        throw Error(Code::node_lacks, "make " + what + " (eventfd): " + errno_text(errno));
}

Worker::~Worker()
{
    eventfd_write(stop_.get(), 1);
    if (thread_.joinable())
        thread_.join();
}

void Worker::start(const char* name, std::function<void()> run)
{
    const SignalsBlocked inherited;
    thread_ = std::thread([name, run = std::move(run)] {
        pthread_setname_np(pthread_self(), name);
        run();
    });
}

bool Worker::told_to_stop(std::chrono::milliseconds wait) const
{
    pollfd event{stop_.get(), POLLIN, 0};
    return ::poll(&event, 1, static_cast<int>(wait.count())) > 0;
}

}  // namespace sallyport
