// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Owns an object that bpftool generated a skeleton for.
#pragma once

#include <bpf/libbpf.h>

#include <memory>

namespace sallyport {

struct SkeletonDestroyer
{
    template <typename Object>
    void operator()(Object* object) const noexcept
    {
        Object::destroy(object);  // bpftool adds this static member for C++
    }
};

template <typename Object>
using Skeleton = std::unique_ptr<Object, SkeletonDestroyer>;

/// The object opened, not yet loaded; nullptr with errno set where libbpf can't.
template <typename Object>
Skeleton<Object> open_skeleton(const bpf_object_open_opts* options = nullptr)
{
    return Skeleton<Object>(Object::open(options));
}

}  // namespace sallyport
