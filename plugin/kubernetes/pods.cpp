// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "pods.hpp"

#include "walk.hpp"

#include "sallyport/error.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

namespace sallyport::kubernetes {

namespace {

using Traits = std::streambuf::traits_type;
using std::chrono::system_clock;

constexpr std::size_t max_addresses = 16;
constexpr std::size_t max_message = 65'536;

/// RFC 3339 in UTC, as Kubernetes writes a time.
system_clock::time_point parse_time(const std::string& text)
{
    std::tm time{};
    const char* const end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time);
    if (end == nullptr || *end != '\0')
        throw Error(Code::decoding_failure, "deletionTimestamp is " + in_quotes(text) + ", which is no time");
    return system_clock::from_time_t(::timegm(&time));
}

template <typename Number>
Number number_or_zero(const std::string& text)
{
    Number number{};
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

/// A pod as it goes by, field by field, below a path.
class PodBuilder
{
public:
    /// `at` is the path behind the pod's own.
    void scalar(std::string_view at, const std::string& text)
    {
        const auto field = std::ranges::find(fields_, at, &Field::path);
        if (field != fields_.end())
            this->*field->member = text;
        else if (at == "/status/podIPs/ip" && pod_.addresses.size() < max_addresses)
            if (const auto address = Address::parse(text))
                pod_.addresses.push_back(*address);
    }

    void end_of_object(std::string_view at)
    {
        if (at != "/status/conditions")
            return;
        if (condition_ == "Ready") {
            pod_.ready = state_ == "True";
            pod_.why_not_ready = pod_.ready ? "" : reason_;
        }
        condition_ = state_ = reason_ = {};
    }

    const std::string& version() const { return version_; }

    /// The pod that went by. Begins anew.
    PodWord take()
    {
        if (uid_.empty() || name_.empty() || namespace_.empty())
            throw Error(Code::decoding_failure, "a pod without uid, name or namespace");
        pod_.uid = std::move(uid_);
        pod_.name = std::move(name_);
        pod_.pod_namespace = std::move(namespace_);
        pod_.static_uid = std::move(static_uid_);
        pod_.over = phase_ == "Succeeded" || phase_ == "Failed";
        if (!deletion_.empty())  // that is when its time is up
            pod_.ending_since = parse_time(deletion_) - std::chrono::seconds(number_or_zero<std::int32_t>(grace_));
        PodWord pod = std::move(pod_);
        *this = {};
        return pod;
    }

private:
    struct Field
    {
        std::string_view path;
        std::string PodBuilder::* member;
    };

    static const std::array<Field, 11> fields_;

    PodWord pod_;
    std::string uid_;
    std::string name_;
    std::string namespace_;
    std::string static_uid_;
    std::string version_;
    std::string deletion_;
    std::string grace_;
    std::string phase_;
    std::string condition_;
    std::string state_;
    std::string reason_;
};

const std::array<PodBuilder::Field, 11> PodBuilder::fields_{{
    {"/metadata/uid", &PodBuilder::uid_},
    {"/metadata/name", &PodBuilder::name_},
    {"/metadata/namespace", &PodBuilder::namespace_},
    {"/metadata/annotations/kubernetes.io/config.hash", &PodBuilder::static_uid_},
    {"/metadata/resourceVersion", &PodBuilder::version_},
    {"/metadata/deletionTimestamp", &PodBuilder::deletion_},
    {"/metadata/deletionGracePeriodSeconds", &PodBuilder::grace_},
    {"/status/phase", &PodBuilder::phase_},
    {"/status/conditions/type", &PodBuilder::condition_},
    {"/status/conditions/status", &PodBuilder::state_},
    {"/status/conditions/reason", &PodBuilder::reason_},
}};

/// What follows `prefix`; nullopt where the path doesn't begin with it.
std::optional<std::string_view> behind(std::string_view path, std::string_view prefix)
{
    if (!path.starts_with(prefix))
        return std::nullopt;
    return path.substr(prefix.size());
}

WatchEvent::Kind kind_of(const std::string& type)
{
    using Kind = WatchEvent::Kind;
    static constexpr std::array<std::pair<std::string_view, Kind>, 5> kinds{{{"ADDED", Kind::added},
                                                                             {"MODIFIED", Kind::modified},
                                                                             {"DELETED", Kind::deleted},
                                                                             {"BOOKMARK", Kind::bookmark},
                                                                             {"ERROR", Kind::error}}};
    for (const auto& [name, kind] : kinds)
        if (name == type)
            return kind;
    throw Error(Code::decoding_failure, "a watch's event of type " + in_quotes(type));
}

/// False at the end of the stream.
bool skip_space(std::streambuf& body)
{
    for (;;) {
        const auto next = body.sgetc();
        if (Traits::eq_int_type(next, Traits::eof()))
            return false;
        if (std::string_view(" \t\r\n").find(Traits::to_char_type(next)) == std::string_view::npos)
            return true;
        body.sbumpc();
    }
}

}  // namespace

ListPage read_list(std::streambuf& body)
{
    constexpr std::string_view item = "/items";
    ListPage page;
    PodBuilder pod;
    std::string kind;
    const auto scalar = [&](std::string_view path, const std::string& text) {
        if (const auto at = behind(path, item))
            pod.scalar(*at, text);
        else if (path == "/kind")
            kind = text;
        else if (path == "/metadata/resourceVersion")
            page.version = text;
        else if (path == "/metadata/continue")
            page.next = text;
    };
    const auto end_of_object = [&](std::string_view path) {
        if (path != item) {
            if (const auto at = behind(path, item))
                pod.end_of_object(*at);
            return;
        }
        if (page.pods.size() == max_pods)
            throw Error(Code::decoding_failure, "more pods than a node can have");
        page.pods.push_back(pod.take());
    };
    walk(body, {scalar, end_of_object}, item, max_object);
    if (kind != "PodList" || page.version.empty())
        throw Error(Code::decoding_failure, "no PodList with a resourceVersion");
    return page;
}

std::optional<WatchEvent> read_event(std::streambuf& body)
{
    constexpr std::string_view object = "/object";
    if (!skip_space(body))
        return std::nullopt;
    WatchEvent event;
    PodBuilder pod;
    std::string type;
    const auto scalar = [&](std::string_view path, const std::string& text) {
        if (path == "/type")
            type = text;
        else if (path == "/object/code")
            event.status.code = number_or_zero<unsigned>(text);
        else if (path == "/object/message")
            event.status.message = text;
        else if (const auto at = behind(path, object))
            pod.scalar(*at, text);
    };
    const auto end_of_object = [&](std::string_view path) {
        if (const auto at = behind(path, object))
            pod.end_of_object(*at);
    };
    walk(body, {scalar, end_of_object}, "", max_object);
    event.kind = kind_of(type);
    if (event.kind == WatchEvent::Kind::error)
        return event;
    event.version = pod.version();
    if (event.version.empty())
        throw Error(Code::decoding_failure, "a watch's event without resourceVersion");
    if (event.kind != WatchEvent::Kind::bookmark)
        event.pod = pod.take();
    return event;
}

std::string read_message(std::streambuf& body)
{
    std::string message;
    const auto scalar = [&](std::string_view path, const std::string& text) {
        if (path == "/message")
            message = text;
    };
    try {
        walk(body, {scalar, [](std::string_view) {}}, "", max_message);
    } catch (const Error&) {
        return {};  // a proxy's page, say: its status says enough
    }
    return message;
}

}  // namespace sallyport::kubernetes
