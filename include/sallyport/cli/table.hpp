// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows under titles, for people: aligned, and as wide as the screen. Where it is too narrow, columns give way in the
// order that they name: they go below their row, or out. The last resort is to shorten the widest texts.
#pragma once

#include "sallyport/cli/screen.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace sallyport {

struct Column
{
    enum class Align { left, right };
    enum class WhenNarrow {
        stay,
        below,  ///< on a line below the row, wrapped, with others that went there
        out,
    };

    std::string title;
    Align align = Align::left;
    WhenNarrow when_narrow = WhenNarrow::stay;
    unsigned order = 0;        ///< which gives way first: the lowest; of those that don't stay
    bool gives_width = false;  ///< is shortened, to 16 columns, before any other gives way
    std::string name_below{};  ///< before its text there, where that doesn't speak for itself
};

struct Cell
{
    Cell(std::string content, Tone its_tone = Tone::plain) : text(std::move(content)), tone(its_tone) {}
    Cell(const char* content) : text(content) {}

    std::string text;
    Tone tone = Tone::plain;
};

class TextTable
{
public:
    explicit TextTable(std::vector<Column> columns);

    /// One cell for each column. Control characters are taken out.
    void add(std::vector<Cell> row);

    std::size_t rows() const { return rows_.size(); }

    /// The rows added since the last call; titles only at the first. Columns never become narrower from one call to the
    /// next, so that a long table can be printed piece by piece.
    std::string render(const Screen& screen);

private:
    enum class Place { in_row, below, out };

    std::size_t narrowest_of(std::size_t column) const;
    std::size_t total_width(bool when_shortened) const;
    void place_columns(std::size_t width);
    void shorten_columns(std::size_t width);
    std::string line(const std::vector<Cell>& row, const Screen& screen) const;
    std::size_t indent_below() const;
    std::string lines_below(const std::vector<Cell>& row, const Screen& screen) const;

    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
    std::vector<std::size_t> widths_;
    std::vector<Place> places_;
    bool titles_printed_ = false;
};

}  // namespace sallyport
