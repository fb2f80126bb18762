// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is answered to a request, before and after it is HTTP.
#pragma once

#include <memory>
#include <string>
#include <utility>

namespace sallyport::web {

/// Shared: a hundred clients that ask at once get the same bytes, and slow ones don't multiply them.
using Body = std::shared_ptr<const std::string>;

inline constexpr const char* plain_text = "text/plain; charset=utf-8";

struct Reply
{
    int status = 200;
    std::string type = plain_text;
    Body body;
};

inline Reply reply(int status, std::string body, std::string type = plain_text)
{
    return {status, std::move(type), std::make_shared<const std::string>(std::move(body))};
}

enum class Family { v4, v6 };

/// What a client asks for, and how it came.
struct Asked
{
    std::string path;   ///< percent-decoded
    std::string query;  ///< what follows the `?`, as it was sent
    Family family = Family::v4;
};

/// As it goes over the wire.
struct Message
{
    std::string head;
    Body body;  ///< none to HEAD
};

}  // namespace sallyport::web
