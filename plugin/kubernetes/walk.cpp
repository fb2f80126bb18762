// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "walk.hpp"

#include "sallyport/error.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <iterator>
#include <vector>

namespace sallyport::kubernetes {

namespace {

using Json = nlohmann::json;

constexpr std::size_t max_depth = 64;

/// Reads as far as it is asked to and not a byte further, until `left` is used up.
class Bytes
{
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = char;

    Bytes() = default;  ///< the end
    Bytes(std::streambuf& text, std::size_t& left) : text_(&text), left_(&left) {}

    char operator*() const { return std::streambuf::traits_type::to_char_type(text_->sgetc()); }

    Bytes& operator++()
    {
        if ((*left_)-- == 0)
            throw Error(Code::decoding_failure, "an object is larger than any that we read");
        text_->sbumpc();
        return *this;
    }

    bool operator==(const Bytes& other) const { return ended() == other.ended(); }

private:
    using Traits = std::streambuf::traits_type;

    bool ended() const { return text_ == nullptr || Traits::eq_int_type(text_->sgetc(), Traits::eof()); }

    std::streambuf* text_ = nullptr;
    std::size_t* left_ = nullptr;
};

/// nlohmann::json's SAX interface.
class Walker
{
public:
    Walker(const Visitor& visitor, std::string_view unit, std::size_t max_bytes)
        : visitor_(visitor),
          unit_(unit),
          max_bytes_(max_bytes),
          left_(max_bytes)
    {}

    std::size_t& left() { return left_; }

    // NOLINTBEGIN(readability-identifier-naming)
    bool null() { return scalar("null"); }
    bool boolean(bool value) { return scalar(value ? "true" : "false"); }
    bool number_integer(std::int64_t value) { return scalar(std::to_string(value)); }
    bool number_unsigned(std::uint64_t value) { return scalar(std::to_string(value)); }
    bool number_float(double, const std::string& text) { return scalar(text); }
    bool string(const std::string& text) { return scalar(text); }
    bool binary(const Json::binary_t&) { return true; }  // JSON has none
    bool start_object(std::size_t) { return enter(); }
    bool start_array(std::size_t) { return enter(); }

    bool key(const std::string& key)
    {
        path_.resize(outer_.back());
        path_ += '/';
        path_ += key;
        return true;
    }

    bool end_object()
    {
        leave();
        visitor_.end_of_object(path_);
        if (path_ == unit_)
            left_ = max_bytes_;
        return true;
    }

    bool end_array()
    {
        leave();
        return true;
    }

    bool parse_error(std::size_t at, const std::string&, const Json::exception&)
    {
        throw Error(Code::decoding_failure, "no JSON at byte " + std::to_string(at));
    }
    // NOLINTEND(readability-identifier-naming)

private:
    bool scalar(const std::string& text)
    {
        visitor_.scalar(path_, text);
        return true;
    }

    bool enter()
    {
        if (outer_.size() == max_depth)
            throw Error(Code::decoding_failure, "objects inside of objects, deeper than we read");
        outer_.push_back(path_.size());
        return true;
    }

    void leave()
    {
        path_.resize(outer_.back());
        outer_.pop_back();
    }

    const Visitor& visitor_;
    std::string_view unit_;
    std::size_t max_bytes_;
    std::size_t left_;
    std::string path_;
    std::vector<std::size_t> outer_;  ///< of each object and array that we are in, its path's length
};

}  // namespace

void walk(std::streambuf& text, const Visitor& visitor, std::string_view unit, std::size_t max_bytes)
{
    Walker walker(visitor, unit, max_bytes);
    Json::sax_parse(Bytes(text, walker.left()), Bytes(), &walker, Json::input_format_t::json, false);
}

}  // namespace sallyport::kubernetes
