// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The tables and sockets that the fuzzer's packets meet, written into the programs' maps and into the model alike.
#pragma once

#include "model.hpp"
#include "packet/fixture.hpp"

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace sallyport::fuzz {

using test::Target;

IpAddress address_of(const std::string& text);
Service service_of(const Target& target, std::uint8_t protocol);

/// Who may meet whom. Few of each, so that packets made at random find each other's flows.
struct Cast
{
    std::vector<Target> clients;
    std::vector<Target> node_ends;  ///< node ports, and ports beside them
    std::vector<Target> backends;   ///< and ports beside them
    std::vector<std::string> strangers;
};

/// Where packets meet the programs.
class Stage
{
public:
    virtual ~Stage() = default;

    const Cast& cast(bool v6) const { return v6 ? v6_ : v4_; }
    Model& model() { return model_; }
    virtual test::Outcome run(bool in, const Bytes& frame) const = 0;

    /// Does all of `work` where the programs would run.
    virtual void inside(const std::function<void()>& work) const = 0;

    /// A pod goes and another comes, with the same addresses. `number` says which, of however many there are.
    virtual void replace_pod(std::uint64_t number) = 0;

protected:
    void listen(const test::TestPod& pod, std::uint8_t protocol, std::uint16_t port);
    void give_new_id(test::TestPod& pod);

    test::Programs programs_{{.fresh = 2048, .established = 2048}};
    Model model_;
    Cast v4_, v6_;

private:
    std::vector<UniqueFd> listeners_;
    std::uint64_t last_id_ = 100;
};

/// The node's outside device: exposures of every kind, some held, some settling.
class NodeStage : public Stage
{
public:
    NodeStage();
    test::Outcome run(bool in, const Bytes& frame) const override
    {
        return programs_.run(in ? "node_ingress" : "node_egress", frame);
    }
    void inside(const std::function<void()>& work) const override { work(); }
    void replace_pod(std::uint64_t number) override;

private:
    struct Exposure
    {
        Target node_port;
        std::uint8_t protocol;
        std::vector<std::size_t> pods;
        abi::share share;
        std::uint16_t container_port;
        std::uint16_t hold_ms = 0;
        std::uint16_t settle_ms = 0;
    };

    void expose(const Exposure& exposure);

    std::deque<test::TestPod> pods_;
    std::vector<Exposure> exposures_;
};

/// A pod's own device, inside its namespace: remaps.
class PodStage : public Stage
{
public:
    PodStage();
    test::Outcome run(bool in, const Bytes& frame) const override
    {
        const bpf_program* program = in ? object_->progs.pod_ingress : object_->progs.pod_egress;
        return test::test_run(bpf_program__fd(program), bpf_program__name(program), frame);
    }
    void inside(const std::function<void()>& work) const override { pod_.netns.run(work); }
    void replace_pod(std::uint64_t number) override;

private:
    void remap();

    Skeleton<::pod> object_ = test::load_pod(programs_.object());
    test::TestPod pod_{7, "10.0.0.7", "fd00::7"};
};

}  // namespace sallyport::fuzz
