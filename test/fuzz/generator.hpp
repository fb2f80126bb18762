// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Frames: right ones from a grammar, the same with damage done to them, and noise.
#pragma once

#include "dice.hpp"
#include "oracle.hpp"
#include "stage.hpp"

namespace sallyport::fuzz {

struct Frame
{
    Way way = Way::in;
    Bytes bytes;
};

class Generator
{
public:
    Generator(const Stage& stage, std::uint64_t seed) : stage_(stage), dice_(seed) {}

    /// One that the kernel's test run takes.
    Frame next();

private:
    Frame sound();
    test::Packet packet(bool v6, const Target& source, const Target& destination, bool reply);
    void add_options(test::Packet& packet);
    Bytes fragment_of(test::Packet packet);
    Frame icmp_error(bool v6);
    Bytes noise();

    const Stage& stage_;
    Dice dice_;
    Bytes last_;
};

/// Does one kind of damage, at random. `other` is another frame to take parts of.
void damage(Bytes& frame, const Bytes& other, Dice& dice);

/// A message about `embedded`, an IP packet, perhaps cut. Checksums are right.
Bytes icmp_message(const std::string& source, const std::string& destination, std::uint8_t type, std::uint8_t code,
                   const Bytes& embedded);

/// Sums an IPv4 header anew; does nothing to other frames.
void mend_ipv4_header(Bytes& frame);

}  // namespace sallyport::fuzz
