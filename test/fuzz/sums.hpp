// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Where a frame's checksums are, and how right they are.
#pragma once

#include "view.hpp"

#include <string>
#include <vector>

namespace sallyport::fuzz {

/// What a checksum covers, summed with it (RFC 1071), modulo 0xffff: 0 where it is right and there is no padding, and
/// always the same as long as whatever changed was made up for. Lengths and protocol are left out of pseudo-headers:
/// nobody changes them, and a frame may lie about them.
struct Sum
{
    std::string what;
    unsigned value = 0;
    bool none = false;  ///< UDP's 0: there is no checksum

    bool operator==(const Sum&) const = default;
};

std::vector<Sum> sums_of(const Bytes& frame, const View& view);

/// The bytes that a translation of such a frame may change.
std::vector<bool> changeable(const Bytes& frame, const View& view);

}  // namespace sallyport::fuzz
