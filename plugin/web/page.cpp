// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "page.hpp"

#include <page_files.hpp>

#include <array>

namespace sallyport::web {

namespace {

struct File
{
    std::string_view path;
    const char* type;
    Body body;
};

Body held(std::string_view text)
{
    return std::make_shared<const std::string>(text);
}

}  // namespace

std::optional<Reply> page_file(std::string_view path)
{
    static const std::array files{
        File{"/", "text/html; charset=utf-8", held(page_files::index_html)},
        File{"/page.css", "text/css; charset=utf-8", held(page_files::page_css)},
        File{"/page.js", "text/javascript; charset=utf-8", held(page_files::page_js)},
        File{"/icon.svg", "image/svg+xml", held(page_files::icon_svg)},
    };
    for (const File& file : files)
        if (file.path == path)
            return Reply{200, file.type, file.body};
    return std::nullopt;
}

}  // namespace sallyport::web
