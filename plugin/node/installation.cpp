// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "installation.hpp"

#include "sallyport/chain/binary.hpp"
#include "sallyport/chain/method.hpp"
#include "sallyport/cri.hpp"
#include "sallyport/error.hpp"
#include "sallyport/log.hpp"

namespace sallyport {

namespace {

using namespace std::chrono_literals;

/// Of one call to the runtime: choose_method() waits for it, and so does the agent's end.
constexpr auto runtime_deadline = 2s;

/// In which a runtime that has nothing else to do has told all of its pods.
constexpr auto usual_time = 20ms;

}  // namespace

void Installation::copy_plugin()
{
    copied_ = false;  // until it is known to be there
    if (install_binary("/proc/self/exe", options_.cni_bin_dir))
        log_info(installed_binary(options_.cni_bin_dir).string() + ": put this version of the plugin there");
    copied_ = true;
}

void Installation::choose_method()
{
    if (method_)
        return;
    const bool automatic = options_.chain == ChainMethod::automatic;
    const auto socket = options_.chain == ChainMethod::conflist ? std::nullopt : find_cri_socket(options_.cri_socket);
    std::string who = "no container runtime was asked";
    ChainMethod method = automatic ? ChainMethod::conflist : options_.chain;
    if (socket) {
        const RuntimeVersion runtime = CriClient(*socket, runtime_deadline).version();
        if (const std::string objection = objection_to(method, runtime.name, runtime.version); !objection.empty())
            throw Error(Code::invalid_environment, objection);
        who = "the container runtime is " + runtime.name + " " + runtime.version;
        if (automatic)
            method = method_for(runtime.name, runtime.version);
    }
    log_info(who + ": our entry goes into " +
             (method == ChainMethod::drop_in ? "a drop-in beside the network's list" : "the network's list"));
    method_ = method;
}

void Installation::keep_entry(const std::string& entry)
{
    if (!copied_ || !method_)
        throw Error(Code::not_available,
                    std::string("our entry waits for ") +
                        (copied_ ? "its place to be agreed with the container runtime" : "the plugin") +
                        "; without that, pods might not start");
    if (!keeper_)
        keeper_.emplace(options_.cni_conf_dir, *method_);
    if (entry != entry_)
        keeper_->set_entry(entry);
    entry_ = entry;

    const ChainReport& report = keeper_->keep();
    in_place_ = report.in_place;
    network_ = report.network;
    remark_ = report.in_place ? report.problem : "";
    if (!report.in_place)
        throw Error(Code::not_available, report.problem.empty() ? "our entry isn't there yet" : report.problem);
}

Instant Installation::next_look() const
{
    return keeper_ ? keeper_->next_look() : Instant::max();
}

Installation::~Installation()
{
    stop_.request_stop();  // adoption_ then waits for its thread
}

void Installation::adopt_earlier_pods(const Config& config)
{
    const auto socket = find_cri_socket(options_.cri_socket);
    if (!adoption_.valid()) {
        if (!socket || !in_place_)
            return;
        Config of_network = config;
        of_network.network = network_;
        adoption_ = std::async(std::launch::async, [socket = *socket, of_network, stop = stop_.get_token()] {
            return sallyport::adopt_earlier_pods(CriClient(socket, runtime_deadline), of_network, stop);
        });
    }
    if (adoption_.wait_for(usual_time) != std::future_status::ready)
        throw Error(Code::try_again_later, failure_.empty() ? "the container runtime is slow to answer" : failure_);
    try {
        const auto results = adoption_.get();
        failure_.clear();
        note(results);
    } catch (const Error& error) {
        failure_ = error.what();
        throw;
    }
}

void Installation::note(const std::vector<AdoptionResult>& results)
{
    refusals_.clear();
    for (const AdoptionResult& result : results)
        if (result.outcome == AdoptionResult::Outcome::refused)
            refusals_ += (refusals_.empty() ? "" : "; ") + ("pod " + result.pod + ": " + result.text);
    for (const AdoptionResult& result : news_since(earlier_, results))
        if (result.outcome == AdoptionResult::Outcome::adopted)
            log_info("pod " + result.pod + " was started before our entry was in place: bound it, " + result.text);
    earlier_ = results;
}

void Installation::rest()
{
    keeper_.reset();
    entry_.clear();
    in_place_ = false;
}

}  // namespace sallyport
