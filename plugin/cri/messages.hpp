// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// CRI's messages, in protobuf's form: functions of values. What we don't ask for is skipped, so that any version of the
// API is read. Fields are those of k8s.io/cri-api, pkg/apis/runtime/v1/api.proto; numbers are never given twice there.
#pragma once

#include "sallyport/cri.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::cri {

/// PodSandboxStatusRequest, verbose: only so does the answer tell the namespace's path.
std::string status_request(std::string_view sandbox_id);

// Each throws Error(io_failure) where the bytes aren't such a message.
RuntimeVersion read_version_response(std::string_view bytes);
std::vector<Sandbox> read_list_response(std::string_view bytes);
Sandbox read_status_response(std::string_view bytes);

}  // namespace sallyport::cri
