// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// CHECK: is everything there that ADD made?
#include "support/footprint.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <filesystem>

using namespace sallyport::test;

namespace {

/// CHECK fails with a CNI error that has something to say.
void check_complains(const Answer& answer)
{
    INFO("stdout: " << answer.out << "\nstderr: " << answer.err);
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.code() == 5);
    CHECK(answer.message().size() > 10);
}

}  // namespace

TEST_CASE("CHECK is content after ADD, of a gateway and of a plain pod", "[check]")
{
    Node node;
    node.cni_version = GENERATE("0.4.0", "1.0.0", "1.1.0");
    CAPTURE(node.cni_version);
    Pod gateway(node, {.expose = "80:9080, 443:9443/udp"});
    Pod plain(node, {.name = "plain"});
    require_ok(gateway.add());
    require_ok(plain.add());
    for (const Pod* pod : {&gateway, &plain}) {
        const std::vector<std::string> before = node.footprint();
        const Answer answer = pod->check();
        INFO("stdout: " << answer.out << "\nstderr: " << answer.err);
        CHECK(answer.ok());
        CHECK(answer.out.empty());
        CHECK(node.footprint() == before);
    }
}

TEST_CASE("CHECK of a pod that was never added, or was removed, fails", "[check]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod gateway(node, {.expose = "80:9080"});
    Pod bystander(node, {.name = "bystander", .expose = "443:9080"});
    if (GENERATE(false, true))
        require_ok(bystander.add());
    gateway.result = gateway.primary_result;
    check_complains(gateway.check());
    require_ok(gateway.add());
    require_ok(gateway.check());
    require_ok(gateway.del());
    check_complains(gateway.check());
}

TEST_CASE("CHECK fails when a pinned link, program or map is gone, and the next ADD repairs it", "[check]")
{
    std::vector<std::string> pins;  // relative to the bpffs, and no directories
    {
        Node node;
        Pod gateway(node, {.expose = "80:9080"});
        require_ok(gateway.add());
        for (const std::string& pin : pins_below(node.bpffs())) {
            if (!std::filesystem::is_directory(pin))
                pins.push_back(std::filesystem::relative(pin, node.bpffs()));
        }
    }
    REQUIRE_FALSE(pins.empty());
    for (const std::string& pin : pins) {
        CAPTURE(pin);
        Node node;
        node.cni_version = "1.1.0";
        Pod gateway(node, {.expose = "80:9080"});
        TcpServer server(gateway.netns, "gateway", {"::", 9080});
        require_ok(gateway.add());
        std::filesystem::remove(node.bpffs() / pin);
        if (pin.find("/programs/") == std::string::npos)  // traffic flows without their pins
            check_complains(gateway.check());

        const Answer repaired = gateway.add();
        INFO("stdout: " << repaired.out << "\nstderr: " << repaired.err);
        CHECK(repaired.ok());
        CHECK(gateway.check().ok());
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
        require_ok(gateway.del());
        CHECK(node.settled_footprint() == nothing);
    }
}

TEST_CASE("where a table's pin was lost, the DEL of one pod doesn't take the others' ports", "[check]")
{
    for (const std::string pin : {"maps/meta", "maps/node_ports", "maps/addresses", "programs/ask_listener"}) {
        CAPTURE(pin);
        Node node;
        Pod stays(node, {.expose = "80:9080"});
        Pod goes(node, {.expose = "443:9443"});
        TcpServer server(stays.netns, "stays", {"::", 9080});
        require_ok(stays.add());
        require_ok(goes.add());
        std::filesystem::remove(node.bpffs() / "sallyport" / pin);

        require_ok(goes.del());
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "stays " + client_v4);

        require_ok(goes.add());
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "stays " + client_v4);
        require_ok(goes.del());
        require_ok(stays.del());
        CHECK(node.settled_footprint() == nothing);
    }
}
