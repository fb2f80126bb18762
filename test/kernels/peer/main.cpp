// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Both ends of an exchange, and what else the guest's shell can't do by itself.
//   peer serve NAME PORT
//   peer ask tcp|udp|unconnected ANSWER ADDRESS PORT [ADDRESS PORT]...
//   peer talk ADDRESS PORT
//   peer bind tcp|udp ADDRESS PORT [v6only]
//   peer netkit l2|l3 NAME NETNS
#include "client.hpp"
#include "netkit.hpp"
#include "server.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

Transport transport_of(const std::string& word)
{
    return word == "tcp" ? Transport::tcp : word == "udp" ? Transport::udp : Transport::unconnected_udp;
}

int run(const std::vector<const char*>& words)
{
    const std::string command = words.empty() ? "" : words[0];
    if (command == "serve" && words.size() == 3)
        serve(words[1], std::strtoul(words[2], nullptr, 10));
    if (command == "ask" && words.size() >= 5 && words.size() % 2 == 1) {
        std::vector<Address> targets;
        for (std::size_t i = 3; i < words.size(); i += 2)
            targets.emplace_back(words[i], words[i + 1]);
        return ask(transport_of(words[1]), words[2], targets);
    }
    if (command == "talk" && words.size() == 3)
        return talk({words[1], words[2]});
    if (command == "bind" && words.size() >= 4)
        return try_bind(words[1] == std::string("tcp") ? SOCK_STREAM : SOCK_DGRAM, {words[2], words[3]},
                        words.size() > 4);
    if (command == "netkit" && words.size() == 4)
        return make_netkit(words[1] == std::string("l3"), words[2], words[3]);
    std::fprintf(stderr, "usage: see main.cpp\n");
    return 2;
}

}  // namespace

int main(int count, char** words)
{
    return run({words + 1, words + count});
}
