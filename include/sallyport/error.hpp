// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The one exception type. Thrown at the leaf, given context on the way up, caught once, in run().
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace sallyport {

/// Result codes of the CNI specification (1.1.0, "Error") and, from 100 on, our own.
enum class Code : unsigned {
    incompatible_version = 1,
    unsupported_field = 2,
    unknown_container = 3,
    invalid_environment = 4,
    io_failure = 5,
    decoding_failure = 6,
    invalid_network_config = 7,
    try_again_later = 11,
    not_available = 50,
    limited_connectivity = 51,
    not_allowed = 100,     ///< the namespace or port isn't allowed by `gateways`
    port_taken = 101,      ///< the node port has another holder
    bad_annotation = 102,  ///< an annotation is wrong
    node_lacks = 103,      ///< the kernel or node lacks something
};

/// A failure for the operator: one sentence that says what failed, on which object, why, and what to do.
class Error : public std::runtime_error
{
public:
    Error(Code code, const std::string& message) : std::runtime_error(message), code_(code) {}

    Code code() const noexcept { return code_; }

    /// The same failure seen from one layer up: "attach ingress to eth0: Operation not permitted".
    Error during(const std::string& action) const { return {code_, action + ": " + what()}; }

private:
    Code code_;
};

/// "Operation not permitted", for an errno value (positive).
std::string errno_text(int error);

/// A user's text as a message shows it: in double quotes, control characters as `\x0a`, and of a long text its
/// beginning only, so that a message stays a line also where a value has 100 KB.
std::string in_quotes(std::string_view text);

}  // namespace sallyport
