// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cni/valid_attachments.hpp"

#include "sallyport/cni/json.hpp"
#include "sallyport/error.hpp"

namespace sallyport {
namespace {

AttachmentId read_attachment_id(const JsonValue& value)
{
    const auto container_id = value.find("containerID");
    const auto ifname = value.find("ifname");
    if (!container_id || !ifname)
        value.refuse("an object with containerID and ifname");
    return {container_id->nonempty_string(), ifname->nonempty_string()};
}

}  // namespace

std::vector<AttachmentId> parse_valid_attachments(std::string_view text)
{
    const JsonValue root = JsonValue::parse(text, JsonValue::Duplicates::last_wins);
    auto list = root.find("cni.dev/valid-attachments");
    if (!list)
        list = root.find("cni.dev/attachments");
    if (!list)
        throw Error(
            Code::invalid_network_config,
            "/cni.dev~1valid-attachments is missing; without the list of attachments to keep, nothing is removed");
    std::vector<AttachmentId> attachments;
    if (list->is_null())
        return attachments;  // so libcni writes a list of none
    for (const JsonValue& element : list->elements())
        attachments.push_back(read_attachment_id(element));
    return attachments;
}

}  // namespace sallyport
