// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/table.hpp"

#include "sallyport/cli/text.hpp"

#include <algorithm>
#include <optional>

namespace sallyport {

namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t narrowest = 8;  ///< a shortened text of fewer columns says nothing

}  // namespace

TextTable::TextTable(std::vector<Column> columns)
    : columns_(std::move(columns)),
      places_(columns_.size(), Place::in_row)
{
    for (const Column& column : columns_)
        widths_.push_back(display_width(column.title));
}

void TextTable::add(std::vector<Cell> row)
{
    for (Cell& cell : row)
        cell.text = printable(cell.text);
    rows_.push_back(std::move(row));
}

std::size_t TextTable::narrowest_of(std::size_t column) const
{
    constexpr std::size_t narrowest_name = 16;
    return columns_[column].gives_width ? std::min(widths_[column], narrowest_name) : widths_[column];
}

std::size_t TextTable::total_width(bool when_shortened) const
{
    std::size_t total = 0;
    for (std::size_t i = 0; i < columns_.size(); i++)
        if (places_[i] == Place::in_row)
            total += (total > 0 ? gap : 0) + (when_shortened ? narrowest_of(i) : widths_[i]);
    return total;
}

void TextTable::place_columns(std::size_t width)
{
    while (total_width(true) > width) {
        std::optional<std::size_t> next;
        for (std::size_t i = 0; i < columns_.size(); i++)
            if (places_[i] == Place::in_row && columns_[i].when_narrow != Column::WhenNarrow::stay &&
                (!next || columns_[i].order < columns_[*next].order))
                next = i;
        if (!next)
            return;
        places_[*next] = columns_[*next].when_narrow == Column::WhenNarrow::below ? Place::below : Place::out;
    }
}

/// Takes from columns that offer it, and then from the widest left-aligned one, time and again: numbers are never cut.
void TextTable::shorten_columns(std::size_t width)
{
    while (total_width(false) > width) {
        std::optional<std::size_t> widest;
        const bool offered = total_width(true) < total_width(false);
        for (std::size_t i = 0; i < columns_.size(); i++) {
            const bool may = offered ? widths_[i] > narrowest_of(i)
                                     : columns_[i].align == Column::Align::left && widths_[i] > narrowest;
            if (places_[i] == Place::in_row && may && (!widest || widths_[i] > widths_[*widest]))
                widest = i;
        }
        if (!widest)
            return;
        widths_[*widest]--;
    }
}

std::string TextTable::line(const std::vector<Cell>& row, const Screen& screen) const
{
    std::string line;
    std::size_t pending = 0;  // blanks, written only before something
    bool first = true;
    for (std::size_t i = 0; i < columns_.size(); i++) {
        if (places_[i] != Place::in_row)
            continue;
        const std::string text = shortened(row[i].text, widths_[i], screen.ellipsis());
        const std::size_t fill = widths_[i] - display_width(text);
        const bool right = columns_[i].align == Column::Align::right;
        pending += (first ? 0 : gap) + (right ? fill : 0);
        first = false;
        if (!text.empty()) {
            line += std::string(pending, ' ') + screen.paint(text, row[i].tone);
            pending = 0;
        }
        pending += right ? 0 : fill;
    }
    return line + '\n';
}

/// Below the second column, as the first is what rows are grouped by.
std::size_t TextTable::indent_below() const
{
    constexpr std::size_t at_most = 24;
    return std::min(places_[0] == Place::in_row ? widths_[0] + gap : 0, at_most);
}

std::string TextTable::lines_below(const std::vector<Cell>& row, const Screen& screen) const
{
    std::string all;
    for (std::size_t i = 0; i < columns_.size(); i++)
        if (places_[i] == Place::below && !row[i].text.empty()) {
            const std::string& name = columns_[i].name_below;
            all += (all.empty() ? "" : "; ") + name + (name.empty() ? "" : " ") + row[i].text;
        }
    if (all.empty())
        return {};
    const std::string_view mark = screen.unicode ? "└ " : "- ";
    const std::size_t indent = indent_below() + display_width(mark);
    std::string lines;
    for (const std::string& text : wrapped(all, screen.width > indent + narrowest ? screen.width - indent : narrowest))
        lines += (lines.empty() ? std::string(indent_below(), ' ') + screen.paint(mark, Tone::dim)
                                : std::string(indent, ' ')) +
                 screen.paint(text, Tone::dim) + '\n';
    return lines;
}

std::string TextTable::render(const Screen& screen)
{
    for (const std::vector<Cell>& row : rows_)
        for (std::size_t i = 0; i < columns_.size(); i++)
            widths_[i] = std::max(widths_[i], display_width(row[i].text));
    if (screen.width > 0) {
        place_columns(screen.width);
        shorten_columns(screen.width);
    }

    std::string text;
    if (!titles_printed_) {
        std::vector<Cell> titles;
        for (const Column& column : columns_)
            titles.emplace_back(column.title, Tone::bold);
        text += line(titles, screen);
        titles_printed_ = true;
    }
    for (const std::vector<Cell>& row : rows_)
        text += line(row, screen) + lines_below(row, screen);
    rows_.clear();
    return text;
}

}  // namespace sallyport
