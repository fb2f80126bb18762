// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/policy.hpp"

#include "sallyport/answered.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using sallyport::test::require_refusal;

namespace {

const Answered node_answered = {.own = {*Address::parse("192.0.2.7"), *Address::parse("2001:db8::7")},
                                .configured = {*Prefix::parse("198.51.100.0/24")},
                                .excluded = {*Prefix::parse("198.51.100.66")}};

Config config()
{
    Config config;
    config.gateways.namespaces = {"kong", "apisix"};
    config.gateways.ports = {{80, 80}, {443, 443}, {8000, 8999}};
    return config;
}

Attachment attached_pod(const char* v4 = "10.0.1.7", const char* v6 = "fd00::7")
{
    Attachment pod;
    pod.id = {"c1", "eth0"};
    pod.pod_namespace = "kong";
    pod.pod_name = "kong-7d9f";
    pod.v4 = Address::parse(v4);
    pod.v6 = Address::parse(v6);
    return pod;
}

Wishes exposing(const std::string& value)
{
    return parse_wishes({{"sallyport.dev/expose", value}}, {});
}

PortMapping mapping(const char* host_address, std::uint16_t port, Protocol protocol = Protocol::tcp)
{
    return {Address::parse(host_address), HostPort{port}, PodPort{9080}, protocol};
}

std::vector<std::string> texts(const std::vector<Exposure>& exposures)
{
    std::vector<std::string> texts;
    for (const Exposure& exposure : exposures)
        texts.push_back(exposure.node_port.to_string() + " -> " + exposure.backend.to_string());
    return texts;
}

std::vector<std::string> desired_texts(const Wishes& wishes, const Attachment& attachment)
{
    return texts(desired(config(), wishes, attachment, node_answered));
}

NodePort node_port(const char* address, std::uint16_t port = 80, Protocol protocol = Protocol::tcp)
{
    return {*Address::parse(address), HostPort{port}, protocol};
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a wish without hostIP is served in each of the pod's families")
{
    const Wishes wishes = exposing("80:9080, 443:9443/udp");
    CHECK(desired_texts(wishes, attached_pod()) ==
          Texts{"0.0.0.0:80/tcp -> 10.0.1.7:9080/tcp", "[::]:80/tcp -> [fd00::7]:9080/tcp",
                "0.0.0.0:443/udp -> 10.0.1.7:9443/udp", "[::]:443/udp -> [fd00::7]:9443/udp"});
    CHECK(desired_texts(wishes, attached_pod("10.0.1.7", "")) ==
          Texts{"0.0.0.0:80/tcp -> 10.0.1.7:9080/tcp", "0.0.0.0:443/udp -> 10.0.1.7:9443/udp"});
    CHECK(desired_texts(wishes, attached_pod("", "fd00::7")) ==
          Texts{"[::]:80/tcp -> [fd00::7]:9080/tcp", "[::]:443/udp -> [fd00::7]:9443/udp"});
    CHECK(desired_texts({}, attached_pod()).empty());
}

TEST_CASE("a wish with hostIP is served at that address")
{
    struct Case
    {
        std::string item, exposure;
    };
    const auto [item, exposure] = GENERATE(Case{"192.0.2.7:80:9080", "192.0.2.7:80/tcp -> 10.0.1.7:9080/tcp"},
                                           Case{"[2001:db8::7]:80:9080", "[2001:db8::7]:80/tcp -> [fd00::7]:9080/tcp"},
                                           Case{"198.51.100.9:80:9080", "198.51.100.9:80/tcp -> 10.0.1.7:9080/tcp"},
                                           Case{"0.0.0.0:80:9080", "0.0.0.0:80/tcp -> 10.0.1.7:9080/tcp"},
                                           Case{"[::]:80:9080", "[::]:80/tcp -> [fd00::7]:9080/tcp"});
    CHECK(desired_texts(exposing(item), attached_pod()) == Texts{exposure});
}

TEST_CASE("a hostIP that isn't the node's is refused")
{
    struct Case
    {
        std::string item, reason;
    };
    const auto [item, reason] = GENERATE(
        Case{"192.0.2.8:80:9080",
             "hostIP 192.0.2.8 is neither an address of this node's outside devices nor in \"addresses\""},
        Case{"[2001:db8::8]:80:9080", "hostIP 2001:db8::8 is neither"}, Case{"198.51.101.1:80:9080", "neither"},
        Case{"198.51.100.66:80:9080", "excluded there"}, Case{"10.0.1.7:80:9080", "neither"},
        Case{"127.0.0.1:80:9080", "loopback address"}, Case{"[::1]:80:9080", "loopback address"},
        Case{"224.0.0.1:80:9080", "multicast address"}, Case{"[ff02::1]:80:9080", "multicast address"});
    require_refusal([&, text = item] { desired(config(), exposing(text), attached_pod(), node_answered); },
                    Code::bad_annotation, {"sallyport.dev/expose item \"" + item + "\"", reason, "write "});
}

TEST_CASE("a hostIP of a family that the pod lacks is refused")
{
    require_refusal([] { desired(config(), exposing("[::]:80:9080"), attached_pod("10.0.1.7", ""), node_answered); },
                    Code::bad_annotation, {"\"[::]:80:9080\"", "the pod has no IPv6 address"});
    require_refusal(
        [] { desired(config(), exposing("192.0.2.7:80:9080"), attached_pod("", "fd00::7"), node_answered); },
        Code::bad_annotation, {"\"192.0.2.7:80:9080\"", "the pod has no IPv4 address"});
}

TEST_CASE("nobody exposes anything unless gateways allow the namespace")
{
    Attachment other = attached_pod();
    other.pod_namespace = "default";
    require_refusal(
        [&] { desired(config(), exposing("80:9080"), other, node_answered); }, Code::not_allowed,
        {"namespace \"default\"", "gateways.namespaces", "allows \"kong\", \"apisix\"", "add the namespace there"});
    require_refusal([&] { desired(Config{}, exposing("80:9080"), attached_pod(), node_answered); }, Code::not_allowed,
                    {"namespace \"kong\"", "allows none"});

    other.pod_namespace.clear();
    require_refusal([&] { desired(config(), exposing("80:9080"), other, node_answered); }, Code::not_allowed,
                    {"a pod without a namespace"});
    Config all = config();
    all.gateways.namespaces = {"*"};
    CHECK(desired(all, exposing("80:9080"), other, node_answered).size() == 2);
    CHECK_NOTHROW(desired(Config{}, {}, other, node_answered));
}

TEST_CASE("gateways name the ports that may be taken, by every item")
{
    CHECK(desired_texts(exposing("80:1,8000:2,8999:3"), attached_pod("10.0.1.7", "")).size() == 3);
    const std::string item = GENERATE("81:9080", "7999:9080", "9000:9080", "22:22/udp");
    require_refusal([&] { desired(config(), exposing("80:1," + item), attached_pod(), node_answered); },
                    Code::not_allowed,
                    {"\"" + item + "\"", "node port " + item.substr(0, item.find(':')) + " isn't allowed",
                     "gateways.ports", "80, 443, 8000-8999"});
}

TEST_CASE("what isn't allowed is said before what is wrong")
{
    Attachment other = attached_pod("10.0.1.7", "");
    other.pod_namespace = "default";
    require_refusal([&] { desired(config(), exposing("[::1]:22:9080"), other, node_answered); }, Code::not_allowed,
                    {"namespace"});
    require_refusal([&] { desired(config(), exposing("[::1]:22:9080"), attached_pod(), node_answered); },
                    Code::not_allowed, {"port 22"});
}

TEST_CASE("port mappings are served whatever gateways say")
{
    Attachment other = attached_pod();
    other.pod_namespace = "default";
    const Wishes wishes = parse_wishes({}, {mapping("", 22), mapping("192.0.2.7", 23, Protocol::udp)});
    CHECK(texts(desired(Config{}, wishes, other, node_answered)) == Texts{"0.0.0.0:22/tcp -> 10.0.1.7:9080/tcp",
                                                                          "[::]:22/tcp -> [fd00::7]:9080/tcp",
                                                                          "192.0.2.7:23/udp -> 10.0.1.7:9080/udp"});
}

TEST_CASE("a port mapping for a family that the pod lacks is passed over, as portmap does")
{
    const Wishes wishes = parse_wishes({}, {mapping("::", 80), mapping("2001:db8::99", 81), mapping("0.0.0.0", 82)});
    CHECK(desired_texts(wishes, attached_pod("10.0.1.7", "")) == Texts{"0.0.0.0:82/tcp -> 10.0.1.7:9080/tcp"});
}

TEST_CASE("a port mapping's hostIP must be the node's; the error isn't an annotation's")
{
    const char* const address = GENERATE("192.0.2.8", "127.0.0.53", "224.0.0.1");
    require_refusal([&] { desired(config(), parse_wishes({}, {mapping(address, 80)}), attached_pod(), node_answered); },
                    Code::invalid_network_config,
                    {"hostPort " + std::string(address) + ":80/tcp", "hostIP " + std::string(address)});
}

TEST_CASE("a port mapping at 127.0.0.1 or ::1 is for the node itself, and takes localAccess")
{
    const Wishes wishes = parse_wishes({}, {mapping("127.0.0.1", 80), mapping("::1", 80), mapping("192.0.2.7", 80)});
    CHECK(desired_texts(wishes, attached_pod()) == Texts{"127.0.0.1:80/tcp -> 10.0.1.7:9080/tcp",
                                                         "[::1]:80/tcp -> [fd00::7]:9080/tcp",
                                                         "192.0.2.7:80/tcp -> 10.0.1.7:9080/tcp"});
    Config closed = config();
    closed.local_access = false;
    require_refusal([&] { desired(closed, wishes, attached_pod(), node_answered); }, Code::invalid_network_config,
                    {"hostPort 127.0.0.1:80/tcp", "`localAccess`"});
}

TEST_CASE("one pod can't have a node port twice")
{
    struct Case
    {
        std::string value;
        std::string later, earlier;
    };
    const auto [value, later, earlier] =
        GENERATE(Case{"80:9080,192.0.2.7:80:9081", "\"192.0.2.7:80:9081\"", "\"80:9080\""},
                 Case{"[2001:db8::7]:80:9080,80:9081", "\"80:9081\"", "\"[2001:db8::7]:80:9080\""},
                 Case{"80:9080,0.0.0.0:80:9080", "\"0.0.0.0:80:9080\"", "\"80:9080\""});
    require_refusal([&, text = value] { desired(config(), exposing(text), attached_pod(), node_answered); },
                    Code::bad_annotation,
                    {"item " + later + ": claims the node port", "beside sallyport.dev/expose item " + earlier});
    CHECK(desired_texts(exposing("192.0.2.7:80:1,198.51.100.1:80:2,[::]:80:3,80:4/udp"), attached_pod()).size() == 5);
}

TEST_CASE("an item and a port mapping can't have the same node port either")
{
    Wishes wishes = exposing("80:9080");
    wishes.port_mappings = parse_wishes({}, {mapping("192.0.2.7", 80)}).port_mappings;
    require_refusal([&] { desired(config(), wishes, attached_pod(), node_answered); }, Code::bad_annotation,
                    {"sallyport.dev/expose item \"80:9080\"", "beside hostPort 192.0.2.7:80/tcp"});
    require_refusal(
        [] { desired(config(), parse_wishes({}, {mapping("", 80), mapping("", 80)}), attached_pod(), node_answered); },
        Code::invalid_network_config, {"hostPort 80/tcp: claims the node port 0.0.0.0:80/tcp a second time"});
}

TEST_CASE("a node port that another namespace holds is refused, naming the holder")
{
    const std::vector<Exposure> wanted = {
        {node_port("0.0.0.0"), {*Address::parse("10.0.1.7"), PodPort{9080}, Protocol::tcp}}};
    const auto holder = [](const NodePort& port, const std::string& space) {
        return Holder{port, {"c2", "eth0"}, space, space + "/gateway-1", "/run/netns/cni-2"};
    };
    require_refusal([&] { refuse_other_namespaces(wanted, attached_pod(), {holder(node_port("0.0.0.0"), "apisix")}); },
                    Code::port_taken,
                    {"node port 0.0.0.0:80/tcp is held by apisix/gateway-1; remove that pod's sallyport.dev/expose or "
                     "choose another port. Where there is no such pod any more, its runtime left its network namespace "
                     "behind: `umount /run/netns/cni-2` ends that"});
    require_refusal(
        [&] { refuse_other_namespaces(wanted, attached_pod(), {holder(node_port("192.0.2.7"), "apisix")}); },
        Code::port_taken, {"held by apisix/gateway-1 (as 192.0.2.7:80/tcp)"});
    CHECK_NOTHROW(refuse_other_namespaces(wanted, attached_pod(), {holder(node_port("0.0.0.0"), "kong")}));
    CHECK_NOTHROW(
        refuse_other_namespaces(wanted, attached_pod(),
                                {holder(node_port("0.0.0.0", 81), "apisix"), holder(node_port("::"), "apisix"),
                                 holder(node_port("0.0.0.0", 80, Protocol::udp), "apisix")}));
    CHECK_NOTHROW(refuse_other_namespaces({}, attached_pod(), {holder(node_port("0.0.0.0"), "apisix")}));
}

TEST_CASE("a refusal for a taken port tells a pod of Kubernetes that it may go elsewhere")
{
    const Error taken(Code::port_taken, "node port 0.0.0.0:80/tcp is taken");
    const Error told = or_elsewhere(taken, attached_pod());
    CHECK(told.code() == Code::port_taken);
    CHECK(told.what() ==
          std::string("node port 0.0.0.0:80/tcp is taken; or delete this pod, so that it may land elsewhere"));
    Attachment of_a_tool = attached_pod();
    of_a_tool.pod_namespace = "";
    CHECK(or_elsewhere(taken, of_a_tool).what() == std::string(taken.what()));
    const Error wrong(Code::bad_annotation, "wrong");  // and so everywhere
    CHECK(or_elsewhere(wrong, attached_pod()).what() == std::string("wrong"));
}

TEST_CASE("a port that another container outside Kubernetes publishes is refused, naming it")
{
    const std::vector<Exposure> published = {{node_port("0.0.0.0"), {}}};
    const auto holder = [](const NodePort& port, const std::string& container) {
        return Holder{port, {container, "eth1"}, "", container};
    };
    require_refusal([&] { refuse_other_containers(published, attached_pod(), {holder(node_port("0.0.0.0"), "c9")}); },
                    Code::port_taken,
                    {"node port 0.0.0.0:80/tcp is held by c9; stop that container first, or choose another port"});
    require_refusal([&] { refuse_other_containers(published, attached_pod(), {holder(node_port("192.0.2.7"), "c9")}); },
                    Code::port_taken, {"held by c9 (as 192.0.2.7:80/tcp)"});
    CHECK_NOTHROW(refuse_other_containers(published, attached_pod(),
                                          {holder(node_port("::"), "c9"), holder(node_port("0.0.0.0", 81), "c9")}));
    CHECK_NOTHROW(refuse_other_containers(published, attached_pod(),
                                          {holder(node_port("0.0.0.0"), attached_pod().id.container_id)}));
}

TEST_CASE("an attachment is no obstacle to itself")
{
    const std::vector<Exposure> wanted = {{node_port("0.0.0.0"), {}}};
    CHECK_NOTHROW(refuse_other_namespaces(wanted, attached_pod(),
                                          {{node_port("0.0.0.0"), attached_pod().id, "before", "before/pod"}}));
}

TEST_CASE("a host's listener is cut off where a client of it would reach the pod")
{
    struct Case
    {
        const char *exposed, *listening;
        bool v6_only, cut_off;
    };
    const auto [exposed, listening, v6_only, cut_off] = GENERATE(
        Case{"0.0.0.0", "0.0.0.0", false, true}, Case{"0.0.0.0", "192.0.2.7", false, true},
        // At an address that isn't answered: systemd-resolved, nodelocaldns, another team's VIP.
        Case{"0.0.0.0", "127.0.0.53", false, false}, Case{"0.0.0.0", "169.254.20.10", false, false},
        Case{"0.0.0.0", "198.51.100.66", false, false}, Case{"0.0.0.0", "198.51.100.9", false, true},
        Case{"::", "fd00:ec2::23", false, false}, Case{"0.0.0.0", "127.0.0.1", false, true},
        Case{"192.0.2.7", "0.0.0.0", false, true}, Case{"192.0.2.7", "192.0.2.7", false, true},
        Case{"192.0.2.7", "192.0.2.8", false, false}, Case{"192.0.2.7", "127.0.0.1", false, false},
        Case{"0.0.0.0", "::", false, true}, Case{"192.0.2.7", "::", false, true}, Case{"0.0.0.0", "::", true, false},
        Case{"192.0.2.7", "::", true, false}, Case{"::", "::", true, true}, Case{"2001:db8::7", "::", true, true},
        Case{"::", "2001:db8::7", false, true}, Case{"::", "::1", false, true},
        Case{"2001:db8::7", "2001:db8::8", false, false}, Case{"::", "0.0.0.0", false, false},
        Case{"::", "192.0.2.7", false, false}, Case{"0.0.0.0", "2001:db8::7", false, false});
    INFO(exposed << " against " << listening << (v6_only ? " only" : ""));
    const std::vector<Exposure> wanted = {{node_port(exposed, 443), {}}, {node_port(exposed), {}}};
    std::vector<HostListener> listeners = {{*Address::parse(listening), HostPort{8080}, Protocol::tcp, v6_only, 1},
                                           {*Address::parse(listening), HostPort{80}, Protocol::tcp, v6_only, 2}};
    CHECK(find_cut_off(wanted, listeners, node_answered) == (cut_off ? &listeners.back() : nullptr));

    listeners.back().port = HostPort{81};
    CHECK_FALSE(find_cut_off(wanted, listeners, node_answered));
    listeners.back().port = HostPort{80};
    listeners.back().protocol = Protocol::udp;
    CHECK_FALSE(find_cut_off(wanted, listeners, node_answered));
    CHECK_FALSE(find_cut_off({}, listeners, node_answered));
}

TEST_CASE("a remap is served at the pod's own addresses, whatever gateways says")
{
    const Wishes wishes = parse_wishes({{"sallyport.dev/remap", "80:9080, 25:2525/udp"}}, {});
    Attachment stranger = attached_pod();
    stranger.pod_namespace = "default";
    CHECK(desired_texts(wishes, stranger) ==
          Texts{"10.0.1.7:80/tcp -> 10.0.1.7:9080/tcp", "[fd00::7]:80/tcp -> [fd00::7]:9080/tcp",
                "10.0.1.7:25/udp -> 10.0.1.7:2525/udp", "[fd00::7]:25/udp -> [fd00::7]:2525/udp"});
    CHECK(desired_texts(wishes, attached_pod("", "fd00::7")).size() == 2);

    const std::vector<Exposure> wanted = desired(config(), wishes, stranger, node_answered);
    CHECK_FALSE(any_at(Scope::node, wanted));
    for (const Exposure& exposure : wanted)
        CHECK(exposure.node_port.scope == Scope::pod);
}

TEST_CASE("a pod may expose a port and remap it")
{
    const Wishes wishes = parse_wishes({{"sallyport.dev/expose", "80:80"}, {"sallyport.dev/remap", "80:9080"}}, {});
    const std::vector<Exposure> wanted = desired(config(), wishes, attached_pod("10.0.1.7", ""), node_answered);
    CHECK(texts(wanted) == Texts{"0.0.0.0:80/tcp -> 10.0.1.7:80/tcp", "10.0.1.7:80/tcp -> 10.0.1.7:9080/tcp"});
    CHECK(any_at(Scope::node, wanted));
}

TEST_CASE("a remap takes nothing from other pods or from the host")
{
    const std::vector<Exposure> wanted =
        desired(config(), parse_wishes({{"sallyport.dev/remap", "80:9080"}}, {}), attached_pod(), node_answered);
    const std::vector<HostListener> listeners = {{Address::any_v6(), HostPort{80}, Protocol::tcp, false, 1},
                                                 {*Address::parse("10.0.1.7"), HostPort{80}, Protocol::tcp, false, 2}};
    CHECK_FALSE(find_cut_off(wanted, listeners, node_answered));
    const AttachmentId other{"c2", "eth0"};
    CHECK_NOTHROW(refuse_other_namespaces(wanted, attached_pod(),
                                          {{node_port("0.0.0.0"), other, "apisix", "apisix/pod"},
                                           {node_port("10.0.1.7"), other, "apisix", "apisix/pod"}}));
}
