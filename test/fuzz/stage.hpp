// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The tables and sockets that the fuzzer's packets meet, written into the programs' maps and into the model alike.
#pragma once

#include "model.hpp"
#include "packet/fixture.hpp"

#include <deque>
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

class Stage
{
public:
    Stage();

    const Cast& cast(bool v6) const { return v6 ? v6_ : v4_; }
    Model& model() { return model_; }
    test::Outcome run(bool in, const Bytes& frame) const
    {
        return programs_.run(in ? "node_ingress" : "node_egress", frame);
    }

    /// A pod goes and another comes, with the same addresses.
    void replace_pod(std::size_t index);
    std::size_t pods() const { return pods_.size(); }

private:
    struct Exposure
    {
        Target node_port;
        std::uint8_t protocol;
        std::vector<std::size_t> pods;
        abi::share share;
        std::uint16_t container_port;
    };

    void expose(const Exposure& exposure);
    void listen(std::size_t pod, std::uint8_t protocol, std::uint16_t port);

    test::Programs programs_{{.fresh = 2048, .established = 2048}};
    std::deque<test::TestPod> pods_;
    std::vector<UniqueFd> listeners_;
    std::vector<Exposure> exposures_;
    std::uint64_t last_id_ = 100;
    Model model_;
    Cast v4_, v6_;
};

}  // namespace sallyport::fuzz
