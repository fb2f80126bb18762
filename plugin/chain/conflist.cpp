// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/chain/conflist.hpp"

#include "sallyport/cni/json.hpp"
#include "sallyport/cni/runtime_config.hpp"
#include "sallyport/config.hpp"
#include "sallyport/error.hpp"
#include "sallyport/listed.hpp"
#include "sallyport/names.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace sallyport {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view blanks = " \t\r\n";
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

[[noreturn]] void refuse(const std::string& reason)
{
    throw Error(Code::decoding_failure, reason);
}

/// A discarded value where the text isn't JSON. Stricter than nlohmann, which skips a byte order mark and stops at NUL;
/// runtimes do neither.
template <typename Json>
Json parsed(std::string_view text)
{
    if (text.starts_with(byte_order_mark) || text.find('\0') != std::string_view::npos)
        return Json(Json::value_t::discarded);
    return Json::parse(text, nullptr, false);
}

std::string string_member(const json& object, const char* key)
{
    const auto member = object.find(key);
    return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

/// libcni takes a boolean and its name.
bool is_true(const json& object, const char* key)
{
    const auto member = object.find(key);
    if (member == object.end())
        return false;
    std::string text = member->is_string() ? member->get<std::string>() : member->dump();
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return text == "true";
}

std::vector<std::string> versions_of(const json& root)
{
    std::vector<std::string> versions{string_member(root, "cniVersion")};
    if (const auto more = root.find("cniVersions"); more != root.end() && more->is_array()) {
        for (const json& version : *more)
            versions.push_back(version.is_string() ? version.get<std::string>() : version.dump());
        if (versions[0].empty() && versions.size() > 1)
            versions.erase(versions.begin());
    }
    return versions;
}

std::vector<std::string> plugin_types(const json& plugins)
{
    if (!plugins.is_array())
        refuse("`plugins` isn't a list of plugins");
    if (plugins.empty())
        refuse("its list of plugins is empty");
    std::vector<std::string> types;
    for (const json& plugin : plugins) {
        types.push_back(plugin.is_object() ? string_member(plugin, "type") : "");
        if (types.back().empty())
            refuse("/plugins/" + std::to_string(types.size() - 1) + " has no type");
    }
    return types;
}

/// The elements of `plugins` as they stand in the text. Of two equal keys the last counts, in Go as in nlohmann.
std::vector<std::string_view> entries_of(std::string_view list)
{
    std::string_view plugins;
    for (const auto& [name, value] : raw_members(list))
        if (name == "plugins")
            plugins = value;
    return plugins.starts_with('[') ? raw_elements(plugins) : std::vector<std::string_view>{};
}

bool is_ours(std::string_view entry)
{
    return drop_in_type(entry) == our_type;
}

std::vector<std::string_view> entries_of_ours(std::string_view list)
{
    std::vector<std::string_view> entries = entries_of(list);
    std::erase_if(entries, [](std::string_view entry) { return !is_ours(entry); });
    return entries;
}

std::size_t offset(std::string_view list, std::string_view part)
{
    return static_cast<std::size_t>(part.data() - list.data());
}

/// The blanks before an entry that has its line to itself; nullopt where something else stands on that line.
std::optional<std::string> indentation_of(std::string_view list, std::string_view entry)
{
    const std::size_t start = offset(list, entry);
    const std::size_t line = list.find_last_of('\n', start);
    if (line == std::string_view::npos)
        return std::nullopt;
    const std::string_view before = list.substr(line + 1, start - line - 1);
    if (before.find_first_not_of(blanks) != std::string_view::npos)
        return std::nullopt;
    return std::string(before);
}

/// The entry as text beside others: over several lines where they are, else on one.
std::string laid_out(std::string_view entry, const std::optional<std::string>& indentation)
{
    const ordered_json value = ordered_json::parse(entry);
    if (!indentation)
        return value.dump();
    std::string text;
    for (const char c : value.dump(2))
        text += c == '\n' ? "\n" + *indentation : std::string{c};
    return text;
}

/// Takes an entry out, with the comma and the blanks that tie it to the one before it, or to the next one.
std::string removed(std::string_view list, std::string_view entry)
{
    std::size_t start = offset(list, entry);
    std::size_t end = start + entry.size();
    const std::size_t before = list.find_last_not_of(blanks, start - 1);
    if (list[before] == ',')
        start = list.find_last_not_of(blanks, before - 1) + 1;
    else if (const std::size_t comma = list.find_first_not_of(blanks, end); list[comma] == ',')
        end = list.find_first_not_of(blanks, comma + 1);
    return std::string(list.substr(0, start)) + std::string(list.substr(end));
}

std::string appended(std::string_view list, std::string_view entry)
{
    const auto entries = entries_of(list);
    if (entries.empty())
        refuse("`plugins` holds no plugin");
    const std::string_view last = entries.back();
    const auto indentation = indentation_of(list, last);
    const std::size_t end = offset(list, last) + last.size();
    const std::string separator = indentation ? ",\n" + *indentation : ", ";
    return std::string(list.substr(0, end)) + separator + laid_out(entry, indentation) + std::string(list.substr(end));
}

}  // namespace

NetworkFile read_network_file(std::string_view file_name, std::string_view text)
{
    const json root = parsed<json>(text);
    if (!root.is_object())
        refuse(root.is_discarded() ? "it isn't valid JSON" : "it isn't a JSON object");
    NetworkFile file;
    file.network = string_member(root, "name");
    file.versions = versions_of(root);
    file.single = !file_name.ends_with(".conflist");
    if (file.single) {
        file.plugins = {string_member(root, "type")};
        if (file.plugins[0].empty())
            refuse("it has no type; a list of plugins belongs in a file named *.conflist");
        return file;
    }
    if (file.network.empty())
        refuse("it has no name");
    file.reads_drop_ins = !is_true(root, "loadOnlyInlinedPlugins");
    if (const auto plugins = root.find("plugins"); plugins != root.end())
        file.plugins = plugin_types(*plugins);
    else if (!file.reads_drop_ins)
        refuse("it has no plugins");
    return file;
}

const std::string_view list_for_multus =
    "have Multus install a *.conflist that has its configuration in `plugins` (thick: \"multusConfigFile\", thin: "
    "--multus-conf-file; conf/docs/install.md, \"Multus\")";

bool is_multus(std::string_view type)
{
    return type == "multus" || type == "multus-shim";
}

std::string objection_to(const NetworkFile& file, ChainMethod method)
{
    if (file.single && is_multus(file.plugins[0]))
        return "it is Multus' own and no list, and Multus passes annotations on to no plugin that it calls: Sallyport "
               "must stand behind Multus itself; " +
               std::string(list_for_multus);
    if (file.single)
        return "it is a single plugin's configuration, not a list, so nothing can be chained to it; have the primary "
               "plugin write a *.conflist";
    for (const std::string& version : file.versions)
        if (!is_one_of(version, served_versions))
            return (version.empty() ? "it has no cniVersion" : "it may speak CNI " + in_quotes(version)) +
                   ", and Sallyport serves " + listed(served_versions) + "; with our entry every pod would fail";
    if (std::all_of(file.plugins.begin(), file.plugins.end(), [](const auto& type) { return type == our_type; }) &&
        (method == ChainMethod::conflist || !file.plugins.empty()))
        return "it names no primary plugin in `plugins`";
    if (method == ChainMethod::drop_in && !file.reads_drop_ins)
        return "`loadOnlyInlinedPlugins` is set there, so the runtime reads no drop-in; run with --chain conflist";
    return "";
}

std::string complete_entry(std::string_view text)
{
    const ordered_json given = ordered_json::parse(text);
    ordered_json entry{{"type", our_type}};
    for (const auto& [key, value] : given.items())
        if (key != "type")
            entry[key] = value;
    ordered_json& capabilities = entry["capabilities"];
    if (!capabilities.is_object())
        capabilities = ordered_json::object();
    if (!capabilities.contains(annotations_capability))
        capabilities[std::string(annotations_capability)] = true;
    return entry.dump();
}

std::vector<std::string> find_entries(std::string_view list)
{
    const auto ours = entries_of_ours(list);
    return {ours.begin(), ours.end()};
}

bool same_meaning(std::string_view one, std::string_view other)
{
    const json first = parsed<json>(one);
    const json second = parsed<json>(other);
    return !first.is_discarded() && !second.is_discarded() && first == second;
}

std::string with_entry(std::string_view list, std::string_view entry)
{
    const auto ours = entries_of_ours(list);
    if (ours.size() > 1)
        return with_entry(removed(list, ours.back()), entry);
    if (ours.empty())
        return appended(list, entry);
    if (ours[0].data() == entries_of(list)[0].data())  // where it can't stand, as it has no result to work on
        return appended(removed(list, ours[0]), entry);
    if (same_meaning(ours[0], entry))
        return std::string(list);
    const std::size_t start = offset(list, ours[0]);
    return std::string(list.substr(0, start)) + laid_out(entry, indentation_of(list, ours[0])) +
           std::string(list.substr(start + ours[0].size()));
}

std::string without_entry(std::string_view list)
{
    const auto ours = entries_of_ours(list);
    if (ours.empty())
        return std::string(list);
    if (ours.size() == entries_of(list).size())
        throw Error(Code::invalid_network_config, "it holds no plugin but Sallyport; remove the file");
    return without_entry(removed(list, ours.back()));
}

std::string drop_in_text(std::string_view entry)
{
    return ordered_json::parse(entry).dump(2) + "\n";
}

std::string drop_in_type(std::string_view text)
{
    const json root = parsed<json>(text);
    return root.is_object() ? string_member(root, "type") : "";
}

}  // namespace sallyport
