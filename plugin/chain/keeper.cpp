// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/chain/keeper.hpp"

#include "conf_watch.hpp"
#include "removal.hpp"

#include "sallyport/chain/conf_dir.hpp"
#include "sallyport/chain/conflist.hpp"
#include "sallyport/chain/files.hpp"
#include "sallyport/chain/restraint.hpp"
#include "sallyport/error.hpp"
#include "sallyport/log.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace sallyport {
namespace {

using namespace std::chrono_literals;

constexpr auto between_looks = 50ms;
constexpr auto look_at_least = 10s;      ///< events get lost without a word
constexpr auto look_without_watch = 1s;  ///< and while something is wrong
constexpr const char* drop_in_name = "90-sallyport.conf";

constexpr const char* fight =
    " is rewritten without our entry whenever we put it in, as Cilium does with cni.exclusive=true; left alone for "
    "now. "
    "Set the Helm value cni.exclusive=false, or put our entry into Cilium's own list by cni.customConf with "
    "cni.configMap "
    "(or cni.readCniConf), or use a runtime that reads drop-ins (containerd 2.1 and later) with --chain drop-in";

void make_directory(const std::filesystem::path& directory)
{
    if (::mkdir(directory.c_str(), 0755) == 0)
        ::chmod(directory.c_str(), 0755);  // whatever our umask is: runtimes need not be root
    else if (errno != EEXIST)
        throw Error(Code::io_failure, "create directory " + directory.string() + ": " + errno_text(errno) +
                                          "; the directory of the runtime's networks must be writable");
}

}  // namespace

struct ChainKeeper::State
{
    State(std::filesystem::path conf_dir, ChainMethod resolved, Clock clock)
        : directory(std::move(conf_dir)),
          method(resolved),
          now(std::move(clock))
    {}

    const std::filesystem::path directory;
    const ChainMethod method;
    const Clock now;
    std::string entry;
    ConfWatch watch;
    Restraint restraint;
    ChainReport report;
    std::optional<Instant> looked;
    Instant next{};
    bool pending = false;                ///< something is to be written, but not at this moment
    bool tidied = false;                 ///< what earlier processes left is gone
    std::filesystem::path file;          ///< at the last look,
    std::optional<FileVersion> version;  ///< and what stood there
    bool seen = false;                   ///< there was a last look

    void look(ChainReport& seen_now);
    void keep_in_list(const ActiveNetwork& active, ChainReport& seen_now);
    void keep_drop_in(const ActiveNetwork& active, ChainReport& seen_now);
    void put_drop_in(const std::filesystem::path& target);
    bool may_write(const std::string& what, ChainReport& seen_now);
    void note(const std::filesystem::path& at, const std::optional<FileVersion>& found, bool in_place);
    void note_written(const std::optional<FileVersion>& placed, const std::string& where);
    bool take_out_of_list(const FileContent& content);
    bool remove_drop_ins_but(const std::filesystem::path& kept);
};

void ChainKeeper::State::note(const std::filesystem::path& at, const std::optional<FileVersion>& found, bool in_place)
{
    const bool changed = seen && (at != file || found != version);
    if (seen && !file.empty() && !at.empty() && at != file)
        restraint.moved();
    restraint.seen(now(), changed, in_place ? Restraint::State::in_place : Restraint::State::missing);
    file = at;
    version = found;
    seen = true;
}

void ChainKeeper::State::note_written(const std::optional<FileVersion>& placed, const std::string& where)
{
    restraint.wrote(now());
    version = placed;
    report.rewrites++;
    log_info("our entry is in " + where);
}

/// Is now the time? Else the report says why not.
bool ChainKeeper::State::may_write(const std::string& what, ChainReport& seen_now)
{
    const Instant at = now();
    if (restraint.backing_off(at)) {
        seen_now.problem = what + fight;
        if (seen_now.problem != report.problem)
            log_warning(seen_now.problem);
        return false;
    }
    pending = true;
    if (at < restraint.may_write()) {
        seen_now.problem = what + " is being changed by others; our entry goes in as soon as it is still";
        return false;
    }
    return true;
}

void ChainKeeper::State::look(ChainReport& seen_now)
{
    pending = false;
    const ActiveNetwork active = find_active(directory);
    seen_now.problem = active.problem;
    if (!active.content) {
        note({}, std::nullopt, false);
        return;
    }
    seen_now.network = active.file.network;
    const std::string objection = objection_to(active.file, method);
    if (!objection.empty())
        seen_now.problem = active.content->path.string() + ": " + objection;
    else if (method == ChainMethod::drop_in)
        keep_drop_in(active, seen_now);
    else
        keep_in_list(active, seen_now);
}

void ChainKeeper::State::keep_in_list(const ActiveNetwork& active, ChainReport& seen_now)
{
    const FileContent& content = *active.content;
    const std::string wanted = with_entry(content.text, entry);
    seen_now.file = content.path;
    seen_now.in_place = wanted == content.text;
    note(content.path, content.version, seen_now.in_place);
    if (!seen_now.in_place) {
        if (content.link) {
            seen_now.problem = content.path.string() +
                               " is a symbolic link, which Sallyport doesn't replace; make it a "
                               "file, or add our entry to what it points to";
            return;
        }
        if (!may_write(content.path.string(), seen_now))
            return;
        const auto lock = try_lock_directory(directory);
        const auto placed = lock ? replace_content(content, wanted) : std::nullopt;
        if (!placed) {
            seen_now.problem = content.path.string() + " is being changed by others; trying again";
            return;
        }
        pending = false;
        seen_now.in_place = true;
        note_written(placed, content.path.string() + ", network " + in_quotes(active.file.network));
    }
    if (remove_drop_ins_but({}))
        wake_runtime(directory);
}

void ChainKeeper::State::keep_drop_in(const ActiveNetwork& active, ChainReport& seen_now)
{
    const std::string& network = active.file.network;
    if (!is_network_name(network)) {
        seen_now.problem = active.content->path.string() + ": " + in_quotes(network) + " isn't a valid network name";
        return;
    }
    const auto network_directory = directory / network;
    watch.follow({directory, network_directory});
    const DropIns found = find_drop_ins(network_directory);
    if (active.file.plugins.empty() && found.others.empty()) {
        seen_now.problem = active.content->path.string() + " has no plugin yet; waiting for the primary plugin's";
        return;
    }
    seen_now.file = found.ours.empty() ? network_directory / drop_in_name : found.ours[0];
    const auto content = read_file(seen_now.file);
    seen_now.in_place = content && same_meaning(content->text, entry);
    note(seen_now.file, content ? std::optional(content->version) : std::nullopt, seen_now.in_place);
    for (const auto& broken : found.broken)
        if (broken != seen_now.file)
            seen_now.problem = broken.string() + " isn't a plugin's configuration, and keeps the whole network from "
                                                 "loading; correct or remove it";
    if (!seen_now.in_place) {
        if (!may_write(seen_now.file.string(), seen_now))
            return;
        put_drop_in(seen_now.file);
        seen_now.in_place = true;
        pending = false;
    }
    // Of two entries the runtime would call both: the new one first, then the old one goes.
    bool removed = remove_drop_ins_but(seen_now.file);
    if (!find_entries(active.content->text).empty()) {
        pending = !take_out_of_list(*active.content);
        removed |= !pending;
        if (pending)
            seen_now.problem = active.content->path.string() + " still has our entry beside the drop-in; trying again";
    }
    if (removed)
        wake_runtime(directory);
}

void ChainKeeper::State::put_drop_in(const std::filesystem::path& target)
{
    make_directory(target.parent_path());
    put_file(target, drop_in_text(entry));
    const auto placed = read_file(target);
    note_written(placed ? std::optional(placed->version) : std::nullopt, target.string());
    wake_runtime(directory);
}

bool ChainKeeper::State::take_out_of_list(const FileContent& content)
{
    const auto lock = try_lock_directory(directory);
    return lock && replace_content(content, without_entry(content.text));
}

bool ChainKeeper::State::remove_drop_ins_but(const std::filesystem::path& kept)
{
    bool removed = false;
    for (const auto& network_directory : subdirectories(directory))
        for (const auto& drop_in : find_drop_ins(network_directory).ours)
            if (drop_in != kept)
                removed |= remove_drop_in(drop_in);
    return removed;
}

ChainKeeper::ChainKeeper(std::filesystem::path conf_dir, ChainMethod method, Clock now)
    : state_(std::make_unique<State>(std::move(conf_dir), method, std::move(now)))
{
    state_->report.problem = "no configuration yet";
}

ChainKeeper::~ChainKeeper() = default;
ChainKeeper::ChainKeeper(ChainKeeper&&) noexcept = default;
ChainKeeper& ChainKeeper::operator=(ChainKeeper&&) noexcept = default;

void ChainKeeper::set_entry(const std::string& entry)
{
    std::string complete = complete_entry(entry);
    if (complete == state_->entry)
        return;
    state_->entry = std::move(complete);
    state_->restraint.forget();
    state_->looked.reset();
    state_->next = {};
}

int ChainKeeper::watch_fd() const
{
    return state_->watch.fd();
}

const ChainReport& ChainKeeper::keep()
{
    State& state = *state_;
    const Instant now = state.now();
    const bool stirred = state.watch.drain();
    if (stirred)
        state.restraint.stirred(now);
    if (state.looked && now < *state.looked + between_looks) {
        if (stirred)
            state.next = *state.looked + between_looks;
        return state.report;
    }
    state.looked = now;

    ChainReport seen_now;
    bool watched = false;
    try {
        std::vector<std::filesystem::path> directories{state.directory};
        if (state.method == ChainMethod::drop_in && is_network_name(state.report.network))
            directories.push_back(state.directory / state.report.network);
        watched = state.watch.follow(directories);  // before the look, or what happens between them is missed
        state.tidied = state.tidied || tidy_directory(state.directory);
        if (!state.entry.empty())
            state.look(seen_now);
        else
            seen_now.problem = state.report.problem;
    } catch (const Error& error) {
        state.pending = false;
        seen_now.in_place = false;
        seen_now.problem = error.what();
    }
    seen_now.rewrites = state.report.rewrites;
    state.report = std::move(seen_now);

    const bool well = watched && state.report.in_place;
    state.next = now + (well ? Instant::duration(look_at_least) : Instant::duration(look_without_watch));
    if (state.pending)
        state.next = std::min(state.next, std::max<Instant>(state.restraint.may_write(), now + between_looks));
    return state.report;
}

Instant ChainKeeper::next_look() const
{
    return state_->next;
}

void ChainKeeper::leave()
{
    state_->entry.clear();
    state_->report = {};
    state_->report.problem = "our entry was taken out of the chain";
    take_out_everywhere(state_->directory);
}

}  // namespace sallyport
