// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Puts the whole test process into its sandbox before the first test, while it still has one thread.
#include "support/sandbox.hpp"

#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>

namespace {

class SandboxListener : public Catch::EventListenerBase
{
public:
    using Catch::EventListenerBase::EventListenerBase;

    void testRunStarting(const Catch::TestRunInfo&) override { sallyport::test::enter_sandbox(); }
};

CATCH_REGISTER_LISTENER(SandboxListener)

}  // namespace
