// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The text of the files that a runtime reads from its CNI directory: what it makes of one, and the same text with our
// entry or without it. Every byte outside of our entry stays as it is: key order, numbers, blanks, the list's version.
// Nothing here reads or writes a file.
#pragma once

#include "sallyport/node_options.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

inline constexpr std::string_view our_type = "sallyport";

/// What a runtime makes of one file.
struct NetworkFile
{
    std::string network;                ///< its name
    bool single = false;                ///< one plugin alone (`.conf`, `.json`): there is no list for an entry
    std::vector<std::string> plugins;   ///< their types; none where a list has no `plugins`, which libcni 1.3 accepts
    std::vector<std::string> versions;  ///< `cniVersion` and `cniVersions`: any may become the one that is spoken
    bool reads_drop_ins = true;         ///< `loadOnlyInlinedPlugins` isn't set
};

/// Is it Multus, thin or thick? Of what a runtime hands to it, it passes `portMappings`, `bandwidth`, `ips` and `mac`
/// on to the plugins that it calls, and annotations to none: our entry in a list of theirs gets no wish to see.
bool is_multus(std::string_view type);

/// What to do where Multus' configuration is no list: for messages.
extern const std::string_view list_for_multus;

/// As libcni reads a file of this name. Throws Error(decoding_failure) with the reason where it would refuse it:
/// invalid JSON (half-written, say), no name, no plugin, a plugin without type.
NetworkFile read_network_file(std::string_view file_name, std::string_view text);

/// Why our entry can't go to this network in this way, and what to do; "" where it can. Were it put there all the same,
/// every pod of the node would fail.
std::string objection_to(const NetworkFile& file, ChainMethod method);

/// Our entry as it stands in a chain: with `type`, and with the capability that brings the pods' annotations, which
/// both may be missing in what the operator wrote. `text` has passed parse_entry().
std::string complete_entry(std::string_view text);

/// The entries of type "sallyport" in a list's `plugins`, as they stand there.
std::vector<std::string> find_entries(std::string_view list);

/// Do both texts mean the same JSON value? False where one isn't JSON.
bool same_meaning(std::string_view one, std::string_view other);

/// The list with this entry: in the place of ours where there is one behind another plugin, else at the end. The same
/// text, byte for byte, where it stands there already. `list` is one with `plugins`.
std::string with_entry(std::string_view list, std::string_view entry);

/// The list without entries of ours; the same text where there is none. Throws Error where it holds no other plugin.
std::string without_entry(std::string_view list);

/// The content of a drop-in for this entry, indented for people.
std::string drop_in_text(std::string_view entry);

/// What a runtime makes of a drop-in: its plugin's type, "" where the text is invalid and breaks the whole network.
std::string drop_in_type(std::string_view text);

}  // namespace sallyport
