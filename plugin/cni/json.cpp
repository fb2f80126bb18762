// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cni/json.hpp"

#include "sallyport/error.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace sallyport {
namespace {

using nlohmann::json;

constexpr int deepest_nesting = 64;
constexpr std::string_view blanks = " \t\r\n";

const json& at(const std::shared_ptr<const void>& node)
{
    return *static_cast<const json*>(node.get());
}

/// nlohmann's callback for strict texts. The parser itself takes any nesting and keeps the last of two equal keys.
class Watch
{
public:
    bool operator()(int depth, json::parse_event_t event, json& parsed)
    {
        using Event = json::parse_event_t;
        if ((event == Event::object_start || event == Event::array_start) && depth >= deepest_nesting)
            throw Error(Code::decoding_failure, "the network configuration is nested deeper than " +
                                                    std::to_string(deepest_nesting) + " levels; correct it");
        if (event == Event::object_start)
            keys_.emplace_back();
        else if (event == Event::object_end)
            keys_.pop_back();
        else if (event == Event::key)
            see(parsed.get_ref<const std::string&>());
        return true;
    }

private:
    void see(const std::string& key)
    {
        if (keys_.size() == 1)
            foreign_ = key == "prevResult";  // belongs to others and passes untouched
        if (!keys_.back().insert(key).second && (keys_.size() == 1 || !foreign_))
            throw Error(Code::decoding_failure,
                        "the network configuration has the key " + in_quotes(key) + " twice; remove one of them");
    }

    std::vector<std::set<std::string>> keys_;  // of the objects around the place, outermost first
    bool foreign_ = false;
};

/// "line 3, column 5 (byte 40): reason", from nlohmann's exception.
std::string place_and_reason(std::string_view text, const json::exception& error)
{
    std::string reason = error.what();
    for (const std::string_view start : {"syntax error", "number overflow"})
        if (const auto position = reason.find(start); position != std::string::npos)
            reason.erase(0, position);
    constexpr std::size_t longest_reason = 120;
    if (reason.size() > longest_reason)
        reason = in_quotes(reason);  // it repeats what was read last, maybe a long text

    const auto* const parse_error = dynamic_cast<const json::parse_error*>(&error);
    if (!parse_error)
        return reason;
    const std::size_t byte = std::min(parse_error->byte, text.size() + 1);
    const std::string_view before = text.substr(0, byte == 0 ? 0 : byte - 1);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t column = byte - (before.rfind('\n') + 1);  // npos + 1 is 0
    return "line " + std::to_string(line) + ", column " + std::to_string(column) + " (byte " + std::to_string(byte) +
           "): " + reason;
}

std::string described(const json& value)
{
    if (value.is_object())
        return "an object";
    if (value.is_array())
        return "a list";
    return value.is_string() ? in_quotes(value.get_ref<const std::string&>()) : value.dump();
}

std::string child_pointer(const std::string& parent, std::string_view key)
{
    std::string pointer = parent + "/";
    for (const char c : key)
        pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string{c};
    return pointer;
}

std::size_t skip_blanks(std::string_view text, std::size_t position)
{
    return std::min(text.find_first_not_of(blanks, position), text.size());
}

/// From the end of a member or element to the next one, or to what closes them.
std::size_t skip_comma(std::string_view text, std::size_t position)
{
    position = skip_blanks(text, position);
    return position < text.size() && text[position] == ',' ? skip_blanks(text, position + 1) : position;
}

/// Where the value or key that starts at `position` ends, in valid JSON.
std::size_t end_of_value(std::string_view text, std::size_t position)
{
    int depth = 0;
    bool in_string = false;
    for (; position < text.size(); ++position) {
        const char c = text[position];
        if (in_string) {
            if (c == '\\')
                ++position;
            else if (c == '"')
                in_string = false;
            if (in_string || depth > 0)
                continue;
            return position + 1;
        }
        if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[')
            ++depth;
        else if (c == '}' || c == ']') {
            if (depth <= 1)
                return depth == 0 ? position : position + 1;
            --depth;
        } else if (depth == 0 && (c == ',' || blanks.find(c) != std::string_view::npos))
            return position;
    }
    return position;
}

}  // namespace

JsonValue JsonValue::parse(std::string_view text, Duplicates duplicates)
{
    const std::string what = "the network configuration";
    if (text.find_first_not_of(blanks) == std::string_view::npos)
        throw Error(Code::decoding_failure, what + " is empty; expected a JSON object");
    if (const auto nul = text.find('\0'); nul != std::string_view::npos)  // nlohmann would take it for the end
        throw Error(Code::decoding_failure, what + " isn't valid JSON: byte " + std::to_string(nul + 1) + " is a NUL");
    try {
        json::parser_callback_t callback;
        if (duplicates == Duplicates::refused)
            callback = Watch();
        const auto root = std::make_shared<const json>(json::parse(text, callback));
        if (!root->is_object())
            throw Error(Code::decoding_failure, what + " is " + described(*root) + "; expected a JSON object");
        return {root, ""};
    } catch (const json::exception& error) {
        throw Error(Code::decoding_failure,
                    what + " isn't valid JSON: " + place_and_reason(text, error) + "; correct it");
    }
}

void JsonValue::refuse(const std::string& expected) const
{
    const std::string place = pointer_.empty() ? "the network configuration" : pointer_;
    throw Error(Code::invalid_network_config, place + " is " + described(at(node_)) + "; expected " + expected);
}

bool JsonValue::is_string() const
{
    return at(node_).is_string();
}

bool JsonValue::is_null() const
{
    return at(node_).is_null();
}

std::string JsonValue::string() const
{
    if (!is_string())
        refuse("a string");
    return at(node_).get<std::string>();
}

std::string JsonValue::nonempty_string() const
{
    if (string().empty())
        refuse("a string that isn't empty");
    return string();
}

bool JsonValue::boolean() const
{
    if (!at(node_).is_boolean())
        refuse("true or false");
    return at(node_).get<bool>();
}

std::uint64_t JsonValue::integer(std::uint64_t first, std::uint64_t last) const
{
    // nlohmann holds whole numbers without a minus sign as unsigned
    const bool whole = at(node_).is_number_unsigned();
    const auto value = whole ? at(node_).get<std::uint64_t>() : 0;
    if (!whole || value < first || value > last)
        refuse("a whole number from " + std::to_string(first) + " to " + std::to_string(last));
    return value;
}

std::vector<JsonValue> JsonValue::elements() const
{
    if (!at(node_).is_array())
        refuse("a list");
    std::vector<JsonValue> elements;
    for (const json& element : at(node_))
        elements.push_back(JsonValue(std::shared_ptr<const void>(node_, &element),
                                     child_pointer(pointer_, std::to_string(elements.size()))));
    return elements;
}

std::vector<std::pair<std::string, JsonValue>> JsonValue::members() const
{
    if (!at(node_).is_object())
        refuse("an object");
    std::vector<std::pair<std::string, JsonValue>> members;
    for (const auto& [key, value] : at(node_).items())
        members.emplace_back(key, JsonValue(std::shared_ptr<const void>(node_, &value), child_pointer(pointer_, key)));
    return members;
}

std::optional<JsonValue> JsonValue::find(std::string_view key) const
{
    if (!at(node_).is_object())
        refuse("an object");
    const auto member = at(node_).find(key);
    if (member == at(node_).end())
        return std::nullopt;
    return JsonValue(std::shared_ptr<const void>(node_, &*member), child_pointer(pointer_, key));
}

std::optional<JsonValue> JsonValue::find_set(std::string_view key) const
{
    auto value = find(key);
    return value && !value->is_null() ? value : std::nullopt;
}

std::vector<std::pair<std::string, std::string_view>> raw_members(std::string_view text)
{
    std::vector<std::pair<std::string, std::string_view>> members;
    std::size_t position = skip_blanks(text, text.find('{') + 1);
    while (position < text.size() && text[position] == '"') {
        const std::size_t key_end = end_of_value(text, position);
        const json name = json::parse(text.substr(position, key_end - position));
        const std::size_t start = skip_blanks(text, text.find(':', key_end) + 1);
        const std::size_t end = end_of_value(text, start);
        members.emplace_back(name.get_ref<const std::string&>(), text.substr(start, end - start));
        position = skip_comma(text, end);
    }
    return members;
}

std::vector<std::string_view> raw_elements(std::string_view text)
{
    std::vector<std::string_view> elements;
    std::size_t position = skip_blanks(text, text.find('[') + 1);
    while (position < text.size() && text[position] != ']') {
        const std::size_t end = end_of_value(text, position);
        elements.push_back(text.substr(position, end - position));
        position = skip_comma(text, end);
    }
    return elements;
}

std::string_view raw_member(std::string_view text, std::string_view key)
{
    std::string_view last;  // of two equal keys, as in JsonValue::parse
    for (const auto& [name, value] : raw_members(text))
        if (name == key)
            last = value;
    return last;
}

}  // namespace sallyport
