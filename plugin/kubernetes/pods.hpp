// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Lists and watches of pods as the API server sends them, read while they arrive. Of each pod only what we need is
// kept, so that a list of 100 MB costs no more than its pods' names; a single object may have `max_object` bytes.
#pragma once

#include "sallyport/kubernetes.hpp"

#include <cstddef>
#include <optional>
#include <streambuf>
#include <string>
#include <vector>

namespace sallyport::kubernetes {

/// Several times what etcd takes by default.
inline constexpr std::size_t max_object = 8'388'608;

/// Many times what a kubelet runs.
inline constexpr std::size_t max_pods = 8192;

struct ListPage
{
    std::vector<PodWord> pods;
    std::string version;  ///< the collection's resourceVersion
    std::string next;     ///< the token `continue`; "" on the last page
};

/// Why the API server does nothing: its Status.
struct Status
{
    unsigned code = 0;  ///< as of HTTP
    std::string message;
};

struct WatchEvent
{
    enum class Kind { added, modified, deleted, bookmark, error };

    Kind kind = Kind::error;
    PodWord pod;          ///< of the first three
    std::string version;  ///< where to go on after it
    Status status;        ///< of `error`
};

/// All three throw Error(decoding_failure) for what isn't what it should be, at the byte where that shows. The
/// streambuf may throw what it likes.
ListPage read_list(std::streambuf& body);

/// The next one; takes no byte of what follows it. nullopt at the end.
std::optional<WatchEvent> read_event(std::streambuf& body);

/// The message of a Status object; "" for what isn't one. Reads 64 KiB at the most.
std::string read_message(std::streambuf& body);

}  // namespace sallyport::kubernetes
