// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A JSON value that knows where it stands, so that every complaint about it names the JSON pointer, quotes what is
// there and says what is expected. Reads only; stands before nlohmann/json, which no header includes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport {

class JsonValue
{
public:
    enum class Duplicates { last_wins, refused };

    /// A whole text, which must be an object. Throws Error(decoding_failure) with line and column where it isn't.
    /// `refused`: throws for a key that stands twice in one object, and for nesting so deep that whoever reads the
    /// value after us may fail over it.
    static JsonValue parse(std::string_view text, Duplicates duplicates);

    const std::string& pointer() const { return pointer_; }  ///< RFC 6901: "" for the whole text

    /// Throws Error(invalid_network_config): `/gateways/ports/0 is "http"; expected ...`.
    [[noreturn]] void refuse(const std::string& expected) const;

    bool is_string() const;
    bool is_null() const;

    // Each of these refuses a value of another type.
    std::string string() const;
    std::string nonempty_string() const;
    bool boolean() const;
    std::uint64_t integer(std::uint64_t first, std::uint64_t last) const;  ///< both included
    std::vector<JsonValue> elements() const;
    std::vector<std::pair<std::string, JsonValue>> members() const;
    std::optional<JsonValue> find(std::string_view key) const;

    /// As `find`, and null counts as missing: so Go writes an empty list or map.
    std::optional<JsonValue> find_set(std::string_view key) const;

private:
    JsonValue(std::shared_ptr<const void> node, std::string pointer)
        : node_(std::move(node)),
          pointer_(std::move(pointer))
    {}

    std::shared_ptr<const void> node_;  ///< keeps the whole text's value alive
    std::string pointer_;
};

/// An object's members in their order, and a list's elements: the characters that each has for value, as they stand in
/// `text`. That must be valid JSON of that kind.
std::vector<std::pair<std::string, std::string_view>> raw_members(std::string_view text);
std::vector<std::string_view> raw_elements(std::string_view text);

/// The characters that one member of an object has for value, as they stand in `text`; "" if it has none by this key,
/// the last where it has several. `text` must have passed JsonValue::parse.
std::string_view raw_member(std::string_view text, std::string_view key);

}  // namespace sallyport
