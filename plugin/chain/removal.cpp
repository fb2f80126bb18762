// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "removal.hpp"

#include "sallyport/chain/conf_dir.hpp"
#include "sallyport/chain/files.hpp"
#include "sallyport/error.hpp"
#include "sallyport/failures.hpp"

#include <unistd.h>

#include <chrono>
#include <thread>

namespace sallyport {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int tries = 100;
constexpr auto between_tries = 20ms;

/// A list, in use or set aside: who puts it back later must not bring our entry back with it.
bool is_list_name(std::string_view name)
{
    if (name.ends_with(set_aside_end))
        name.remove_suffix(set_aside_end.size());
    return name.ends_with(".conflist");
}

/// False where it should be tried again: somebody is writing it.
bool take_out(const fs::path& path)
{
    const auto content = read_file(path);
    if (!content)
        return true;
    try {
        read_network_file("any.conflist", content->text);
    } catch (const Error&) {
        return content->text.find("\"sallyport\"") == std::string::npos && !content->text.empty();
    }
    const std::string text = without_entry(content->text);
    return text == content->text || replace_content(*content, text);
}

void take_out_patiently(const fs::path& path)
{
    try {
        for (int i = 0; i < tries; i++) {
            if (take_out(path))
                return;
            std::this_thread::sleep_for(between_tries);
        }
    } catch (const Error& error) {
        throw error.during("take our entry out of " + path.string());
    }
    throw Error(Code::io_failure, path.string() + " is invalid or changes all the time; look whether it holds an entry "
                                                  "of type sallyport, and take it out");
}

}  // namespace

void take_out_everywhere(const fs::path& directory)
{
    std::error_code error;
    if (!fs::is_directory(directory, error))
        return;
    const auto lock = lock_directory(directory);  // without it all the same: whoever holds it that long is stuck
    Failures failures;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
        if (is_list_name(entry->path().filename().string()))
            failures.attempt([&] { take_out_patiently(entry->path()); });
    for (const fs::path& network_directory : subdirectories(directory))
        failures.attempt([&] {
            for (const fs::path& drop_in : find_drop_ins(network_directory).ours)
                remove_drop_in(drop_in);
        });
    remove_temporaries(directory);
    failures.attempt([&] { wake_runtime(directory); });
    failures.raise("leave the CNI chain");
}

bool remove_drop_in(const fs::path& drop_in)
{
    const bool removed = remove_file(drop_in);
    ::rmdir(drop_in.parent_path().c_str());  // fails where somebody else uses it
    return removed;
}

void wake_runtime(const fs::path& directory)
{
    const Temporary noise = Temporary::in(directory);
}

bool tidy_directory(const fs::path& directory)
{
    const auto lock = try_lock_directory(directory);
    if (!lock)
        return false;
    remove_temporaries(directory);
    for (const fs::path& below : subdirectories(directory))
        remove_temporaries(below);
    return true;
}

}  // namespace sallyport
