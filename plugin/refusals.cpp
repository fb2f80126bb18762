// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/refusals.hpp"

#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <system_error>

namespace sallyport {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::ptrdiff_t max_refusals = 64;
constexpr std::uintmax_t max_file = 65'536;
constexpr const char* unfinished = ".new";

/// What the runtime says of a pod may hold any character.
std::string file_of(const Refusal& refusal)
{
    const std::string pod = refusal.pod_namespace + "/" + refusal.pod_name + "/" + refusal.pod_uid;
    return std::to_string(std::hash<std::string>()(pod));
}

std::optional<Refusal> read_refusal(const fs::path& path)
{
    std::error_code ignored;
    if (fs::file_size(path, ignored) > max_file)
        return std::nullopt;
    const Json parsed = Json::parse(std::ifstream(path), nullptr, false);
    const auto text = [&](const char* key) { return parsed.value(key, std::string()); };
    if (!parsed.is_object())
        return std::nullopt;
    try {
        return Refusal{text("namespace"), text("pod"), text("uid"), text("message")};
    } catch (const Json::exception&) {
        return std::nullopt;  // not written by us
    }
}

}  // namespace

fs::path refusals_in(const fs::path& state_dir)
{
    return state_dir / "refusals";
}

bool is_refusal(Code code)
{
    return code == Code::not_allowed || code == Code::port_taken || code == Code::bad_annotation ||
           code == Code::node_lacks;
}

void note_refusal(const fs::path& state_dir, const Refusal& refusal) noexcept
{
    try {
        if (refusal.pod_name.empty() || refusal.pod_namespace.empty())
            return;
        const fs::path directory = refusals_in(state_dir);
        ::mkdir(state_dir.c_str(), 0755);  // umasks of runtimes are 0
        ::mkdir(directory.c_str(), 0700);
        const fs::path path = directory / file_of(refusal);
        if (!fs::exists(path) && std::distance(fs::directory_iterator(directory), {}) >= max_refusals)
            return;
        const fs::path fresh = path.string() + "." + std::to_string(::getpid()) + unfinished;
        std::ofstream file(fresh);
        file << Json{{"namespace", refusal.pod_namespace},
                     {"pod", refusal.pod_name},
                     {"uid", refusal.pod_uid},
                     {"message", refusal.message}}
                    .dump(-1, ' ', false, Json::error_handler_t::replace);
        file.close();
        if (file)
            fs::rename(fresh, path);  // whoever reads it finds all of it
        else
            fs::remove(fresh);
    } catch (const std::exception&) {
        return;
    }
}

std::vector<Refusal> take_refusals(const fs::path& state_dir)
{
    std::vector<Refusal> refusals;
    std::error_code error;
    for (fs::directory_iterator entry(refusals_in(state_dir), error), end; !error && entry != end;
         entry.increment(error)) {
        const fs::path path = entry->path();
        if (path.extension() == unfinished)
            continue;
        if (auto refusal = read_refusal(path))
            refusals.push_back(std::move(*refusal));
        std::error_code ignored;
        fs::remove(path, ignored);
    }
    if (error && error != std::errc::no_such_file_or_directory)
        throw Error(Code::io_failure, "read " + refusals_in(state_dir).string() + ": " + error.message());
    return refusals;
}

void forget_refusals(const fs::path& state_dir) noexcept
{
    std::error_code ignored;
    fs::remove_all(refusals_in(state_dir), ignored);
}

}  // namespace sallyport
