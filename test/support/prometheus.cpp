// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/prometheus.hpp"

#include <charconv>
#include <set>
#include <stdexcept>

namespace sallyport::test {

namespace {

bool is_letter(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') || character == '_';
}

bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/// One line, read from its beginning.
class Line
{
public:
    explicit Line(std::string_view text) : text_(text), rest_(text) {}

    [[noreturn]] void fail(const std::string& why) const
    {
        throw std::runtime_error("metrics: " + why + ": " + std::string(text_));
    }

    bool take(std::string_view expected)
    {
        const bool found = rest_.starts_with(expected);
        rest_.remove_prefix(found ? expected.size() : 0);
        return found;
    }

    void need(std::string_view expected)
    {
        if (!take(expected))
            fail("expected '" + std::string(expected) + "' before '" + std::string(rest_) + "'");
    }

    std::string name()
    {
        std::size_t size = 0;
        while (size < rest_.size() && (is_letter(rest_[size]) || (size > 0 && is_digit(rest_[size]))))
            size++;
        if (size == 0)
            fail("expected a name");
        return std::string(cut(size));
    }

    std::string quoted()
    {
        need("\"");
        std::string value;
        while (!take("\"")) {
            if (rest_.empty())
                fail("a label's value doesn't end");
            if (take("\\\\"))
                value += '\\';
            else if (take("\\\""))
                value += '"';
            else if (take("\\n"))
                value += '\n';
            else if (rest_.front() == '\\')
                fail("unknown escape");
            else
                value += cut(1);
        }
        return value;
    }

    std::string labels()
    {
        std::string all;
        std::set<std::string> seen;
        if (!take("{"))
            return all;
        do {
            const std::string label = name();
            if (!seen.insert(label).second)
                fail("label " + label + " twice");
            need("=");
            all += (all.empty() ? "{" : ",") + label + "=" + quoted();
        } while (take(","));
        need("}");
        return all + "}";
    }

    double number()
    {
        double value = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (error != std::errc() || end != rest_.data() + rest_.size())
            fail("no number at the end");
        return value;
    }

    std::string_view rest() const { return rest_; }

private:
    std::string_view cut(std::size_t size)
    {
        const std::string_view part = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return part;
    }

    std::string_view text_;
    std::string_view rest_;
};

void check_help(const Line& line)
{
    const std::string_view text = line.rest();
    if (text.empty())
        line.fail("HELP says nothing");
    for (std::size_t at = text.find('\\'); at != std::string_view::npos; at = text.find('\\', at + 2))
        if (at + 1 == text.size() || (text[at + 1] != '\\' && text[at + 1] != 'n'))
            line.fail("unknown escape");
}

/// Reads line by line; knows which family's turn it is.
class Reader
{
public:
    void read(std::string_view text)
    {
        Line line(text);
        if (line.take("# HELP ")) {
            helped_ = line.name();
            line.need(" ");
            check_help(line);
            family_.clear();
        } else if (line.take("# TYPE ")) {
            read_type(line);
        } else {
            read_sample(line);
        }
    }

    Metrics metrics;

private:
    void read_type(Line& line)
    {
        family_ = line.name();
        line.need(" ");
        const std::string type(line.rest());
        if (family_ != helped_)
            line.fail("no HELP for the family before its TYPE");
        if (type != "counter" && type != "gauge")
            line.fail("unknown type");
        if ((type == "counter") != family_.ends_with("_total"))
            line.fail("counters, and no others, end in _total");
        if (!metrics.types.emplace(family_, type).second)
            line.fail("family twice");
    }

    void read_sample(Line& line)
    {
        const std::string name = line.name();
        if (name != family_)
            line.fail("a sample outside its family");
        const std::string series = name + line.labels();
        line.need(" ");
        const double value = line.number();
        if (value < 0 && metrics.types.at(family_) == "counter")
            line.fail("a negative counter");
        if (!metrics.samples.emplace(series, value).second)
            line.fail("series twice");
    }

    std::string helped_;
    std::string family_;
};

}  // namespace

double Metrics::at(const std::string& series) const
{
    const auto sample = samples.find(series);
    if (sample == samples.end())
        throw std::runtime_error("no series " + series);
    return sample->second;
}

Metrics parse_metrics(std::string_view text)
{
    Reader reader;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos)
            throw std::runtime_error("metrics: the last line doesn't end");
        reader.read(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    return reader.metrics;
}

}  // namespace sallyport::test
