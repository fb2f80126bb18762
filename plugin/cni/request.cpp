// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cni/request.hpp"

#include "sallyport/error.hpp"
#include "sallyport/listed.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <istream>
#include <map>
#include <string_view>
#include <vector>

namespace sallyport {
namespace {

/// What a command does with each variable.
struct Needs
{
    Command command;
    std::string_view name;
    bool container_id;
    bool ifname;
    bool netns;
};

constexpr std::array<Needs, 6> commands = {{
    // command          name       id     ifname netns
    {Command::add, "ADD", true, true, true},
    {Command::del, "DEL", true, true, false},  // the namespace may be gone
    {Command::check, "CHECK", true, true, true},
    {Command::gc, "GC", false, false, false},
    {Command::status, "STATUS", false, false, false},
    {Command::version, "VERSION", false, false, false},
}};

[[noreturn]] void refuse(const std::string& reason)
{
    throw Error(Code::invalid_environment, reason);
}

const Needs& needs_of(const std::string& name)
{
    for (const Needs& needs : commands)
        if (needs.name == name)
            return needs;
    refuse("CNI_COMMAND is " + in_quotes(name) + "; expected one of " + listed(commands, &Needs::name));
}

void refuse_missing(const Needs& needs, const Request& request)
{
    std::vector<std::string_view> missing;
    const auto check = [&missing](bool needed, const std::string& value, std::string_view name) {
        if (needed && value.empty())
            missing.push_back(name);
    };
    check(needs.container_id, request.attachment.container_id, "CNI_CONTAINERID");
    check(needs.ifname, request.attachment.ifname, "CNI_IFNAME");
    check(needs.netns, request.netns, "CNI_NETNS");
    if (!missing.empty())
        refuse("CNI_COMMAND=" + std::string(needs.name) + " needs " + listed(missing) +
               "; the container runtime must set it");
}

bool is_ascii_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

void check_container_id(const std::string& id)
{
    const bool wellformed = is_ascii_alphanumeric(id[0]) && std::all_of(id.begin(), id.end(), [](char c) {
                                return is_ascii_alphanumeric(c) || c == '_' || c == '.' || c == '-';
                            });
    if (!wellformed)
        refuse("CNI_CONTAINERID is " + in_quotes(id) +
               "; expected a letter or digit, then letters, digits, '_', '.' and '-'");
}

std::string objection_to_container_id(const std::string& id)
{
    if (id.size() <= max_container_id)
        return {};
    return "CNI_CONTAINERID " + in_quotes(id) + " has " + std::to_string(id.size()) + " characters; at most " +
           std::to_string(max_container_id) + " are served";
}

void check_ifname(const std::string& name)
{
    constexpr std::size_t longest = 15;  // IFNAMSIZ less its NUL
    const bool forbidden = std::any_of(name.begin(), name.end(), [](char c) {
        return c == '/' || c == ':' || std::isspace(static_cast<unsigned char>(c)) != 0;
    });
    if (name.size() > longest || forbidden || name == "." || name == "..")
        refuse("CNI_IFNAME is " + in_quotes(name) +
               "; expected at most 15 characters, no '/', ':' or blank among them");
}

/// The pairs of `K=V;K=V`. A pair without a key or `=` is left out, and the first such objected to.
std::map<std::string, std::string> read_args(const std::string& text, std::string& objection)
{
    std::map<std::string, std::string> args;
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find(';', start), text.size());
        const std::string pair = text.substr(start, end - start);
        const std::size_t equals = pair.find('=');
        if (equals != std::string::npos && equals > 0)
            args.emplace(pair.substr(0, equals), pair.substr(equals + 1));
        else if (objection.empty())
            objection =
                "CNI_ARGS has " + in_quotes(pair) + " at column " + std::to_string(start + 1) + "; expected KEY=VALUE";
        start = end + 1;
    }
    return args;
}

std::string read_config(std::istream& in)
{
    std::string text;
    std::array<char, 16384> chunk{};
    while (text.size() <= max_config_size && in.read(chunk.data(), chunk.size()).gcount() > 0)
        text.append(chunk.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > max_config_size)
        throw Error(Code::decoding_failure, "the network configuration on stdin is larger than " +
                                                std::to_string(max_config_size) +
                                                " bytes; shorten the conflist or the pod's annotations");
    if (in.bad())
        throw Error(Code::io_failure, "stdin can't be read");
    return text;
}

}  // namespace

Request parse_request(const GetEnv& getenv, std::istream& in)
{
    const auto value_of = [&getenv](const std::string& name) { return getenv(name).value_or(""); };
    const Needs& needs = needs_of(value_of("CNI_COMMAND"));
    Request request;
    request.command = needs.command;
    if (needs.container_id || needs.ifname) {
        request.attachment = {value_of("CNI_CONTAINERID"), value_of("CNI_IFNAME")};
        request.netns = value_of("CNI_NETNS");
        refuse_missing(needs, request);
        check_container_id(request.attachment.container_id);
        check_ifname(request.attachment.ifname);

        request.objection = objection_to_container_id(request.attachment.container_id);
        const auto args = read_args(value_of("CNI_ARGS"), request.objection);
        if (const auto arg = args.find("K8S_POD_NAMESPACE"); arg != args.end())
            request.pod_namespace = arg->second;
        if (const auto arg = args.find("K8S_POD_NAME"); arg != args.end())
            request.pod_name = arg->second;
        if (const auto arg = args.find("K8S_POD_UID"); arg != args.end())
            request.pod_uid = arg->second;
    }
    request.config = read_config(in);
    return request;
}

}  // namespace sallyport
