// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What went wrong in a removal, which goes on all the same: each step is tried, and all that failed is told in the end.
#pragma once

#include "sallyport/error.hpp"

#include <string>

namespace sallyport {

class Failures
{
public:
    template <typename Step>
    void attempt(Step&& step)
    {
        try {
            step();
        } catch (const Error& error) {
            list_ += (list_.empty() ? "" : "; ") + std::string(error.what());
        }
    }

    bool empty() const { return list_.empty(); }

    /// Throws Error(io_failure) with `action` and the list, where there is one.
    void raise(const std::string& action) const
    {
        if (!empty())
            throw Error(Code::io_failure, action + ": " + list_);
    }

private:
    std::string list_;
};

}  // namespace sallyport
