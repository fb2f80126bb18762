// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// FileLock, open_netns and identify_netns against the running kernel.
#include "os_support.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>

namespace sallyport {

namespace {

/// The place that was taken last, which is how the line's file begins.
std::uint32_t last_in_line(const std::filesystem::path& directory)
{
    std::uint32_t last = 0;
    std::ifstream(directory / "line", std::ios::binary).read(reinterpret_cast<char*>(&last), sizeof last);
    return last;
}

/// A process that waits for the lock until it is killed, or has it. A Child would be awaited
/// until it has it.
pid_t waiting_process(const TemporaryDirectory& directory, std::optional<FileLock>& holder)
{
    const pid_t process = ::fork();
    if (process == 0) {
        holder.reset();  // its copy
        FileLock::take(directory.path(), 30s);
        ::_exit(0);
    }
    return process;
}

}  // namespace

// ---- FileLock ----------------------------------------------------------------------------------------------------

TEST_CASE("the lock has one holder at a time")
{
    const TemporaryDirectory directory;
    std::optional<FileLock> holder = FileLock::take(directory.path(), 0ms);

    const auto start = std::chrono::steady_clock::now();
    const auto [code, text] = failure([&] { FileLock::take(directory.path(), 60ms); });
    const auto waited = std::chrono::steady_clock::now() - start;
    CHECK(code == Code::try_again_later);
    CHECK_THAT(text, ContainsSubstring((directory.path() / "lock").string()) && ContainsSubstring("60 ms"));
    CHECK(waited >= 60ms);
    CHECK(waited < 5s);

    std::future<FileLock> next = std::async(std::launch::async, [&] { return FileLock::take(directory.path(), 10s); });
    CHECK(next.wait_for(50ms) == std::future_status::timeout);
    holder.reset();
    next.get();
}

TEST_CASE("a killed holder lets go of the lock")
{
    const TemporaryDirectory directory;
    std::optional<FileLock> held_by_child;
    Child holder([&] { held_by_child = FileLock::take(directory.path(), 0ms); });

    CHECK(failure([&] { FileLock::take(directory.path(), 0ms); }).first == Code::try_again_later);
    holder.kill();
    FileLock::take(directory.path(), 0ms);
}

TEST_CASE("the lock goes to whoever came first, however many wait")
{
    const TemporaryDirectory directory;
    std::optional<FileLock> holder = FileLock::take(directory.path(), 0ms);
    constexpr unsigned count = 100;
    std::mutex mutex;
    std::vector<unsigned> served;
    std::vector<std::future<void>> waiting;
    const std::uint32_t first = last_in_line(directory.path()) + 1;
    for (unsigned number = 0; number < count; number++) {
        waiting.push_back(std::async(std::launch::async, [&, number] {
            const FileLock lock = FileLock::take(directory.path(), 30s);
            const std::lock_guard guard(mutex);
            served.push_back(number);
        }));
        while (last_in_line(directory.path()) != first + number)  // each has joined before the next one comes
            std::this_thread::sleep_for(1ms);
    }
    std::this_thread::sleep_for(1500ms);  // a holder that takes its time, beside which the line stands still
    holder.reset();
    // Who comes last gets in no one's way.
    for (auto& one : waiting)
        one.get();
    CHECK(std::ranges::is_sorted(served));
    CHECK(served.size() == count);
}

TEST_CASE("who is killed or gives up while waiting for the lock keeps nobody from it")
{
    const TemporaryDirectory directory;
    std::optional<FileLock> holder = FileLock::take(directory.path(), 0ms);
    std::future<Code> impatient =
        std::async(std::launch::async, [&] { return failure([&] { FileLock::take(directory.path(), 100ms); }).first; });
    std::this_thread::sleep_for(20ms);
    const pid_t killed = waiting_process(directory, holder);
    std::this_thread::sleep_for(20ms);
    std::future<FileLock> last = std::async(std::launch::async, [&] { return FileLock::take(directory.path(), 10s); });
    CHECK(impatient.get() == Code::try_again_later);
    ::kill(killed, SIGKILL);
    ::waitpid(killed, nullptr, 0);
    const auto begin = std::chrono::steady_clock::now();
    holder.reset();
    last.get();
    CHECK(std::chrono::steady_clock::now() - begin < 1s);
}

TEST_CASE("a process that is stopped while it waits for the lock doesn't stop the others")
{
    const TemporaryDirectory directory;
    std::optional<FileLock> holder = FileLock::take(directory.path(), 0ms);
    const pid_t stopped = waiting_process(directory, holder);
    std::this_thread::sleep_for(50ms);
    ::kill(stopped, SIGSTOP);
    std::future<FileLock> next = std::async(std::launch::async, [&] { return FileLock::take(directory.path(), 10s); });
    std::this_thread::sleep_for(20ms);
    holder.reset();
    next.get();
    ::kill(stopped, SIGKILL);
    ::waitpid(stopped, nullptr, 0);
}

TEST_CASE("who waits for a lock whose files are removed meanwhile takes the one that is there then")
{
    const TemporaryDirectory directory;
    const fs::path state_dir = directory.path() / "state";
    std::optional<FileLock> first = FileLock::take(state_dir, 0ms);
    const std::uint32_t before = last_in_line(state_dir);
    std::future<FileLock> waiting = std::async(std::launch::async, [&] { return FileLock::take(state_dir, 30s); });
    while (last_in_line(state_dir) == before)
        std::this_thread::sleep_for(1ms);
    first->remove_files(state_dir);
    CHECK_FALSE(fs::exists(state_dir));

    std::optional<FileLock> second = FileLock::take(state_dir, 0ms);  // of the new file
    first.reset();
    CHECK(waiting.wait_for(200ms) == std::future_status::timeout);
    second.reset();
    const FileLock third = waiting.get();
    CHECK(failure([&] { FileLock::take(state_dir, 0ms); }).first == Code::try_again_later);
    std::ofstream(state_dir / "others") << "not ours";
    third.remove_files(state_dir);
    CHECK(std::distance(fs::directory_iterator(state_dir), fs::directory_iterator()) == 1);
}

TEST_CASE("the lock is had by one at a time, however often its files are removed")
{
    const TemporaryDirectory directory;
    const fs::path state_dir = directory.path() / "state";
    std::atomic<int> holders = 0;
    std::atomic<bool> shared = false;
    std::vector<std::future<void>> all;
    for (int i = 0; i < 8; i++)
        all.push_back(std::async(std::launch::async, [&] {
            for (int n = 0; n < 50; n++) {
                const FileLock lock = FileLock::take(state_dir, 30s);
                if (++holders != 1)
                    shared = true;
                std::this_thread::yield();
                holders--;
                if (n % 2 == 0)
                    lock.remove_files(state_dir);
            }
        }));
    for (auto& one : all)
        one.get();
    CHECK_FALSE(shared);
}

TEST_CASE("the lock and its directories are for root, whatever the umask")
{
    const TemporaryDirectory directory;
    const fs::path deep = directory.path() / "run" / "sallyport";
    const mode_t umask = ::umask(0);
    FileLock::take(deep, 0ms);
    ::umask(umask);

    CHECK(fs::status(deep.parent_path()).permissions() == fs::perms{0755});
    CHECK(fs::status(deep).permissions() == fs::perms{0755});
    CHECK(fs::status(deep / "lock").permissions() == fs::perms{0600});
}

TEST_CASE("a lock that can't be made names its path")
{
    const TemporaryDirectory directory;
    const fs::path file = directory.path() / "file";
    std::ofstream(file) << "not a directory";

    const auto [code, text] = failure([&] { FileLock::take(file / "below", 0ms); });
    CHECK(code == Code::node_lacks);
    CHECK_THAT(text, ContainsSubstring((file / "below").string() + ": Not a directory"));
    CHECK(failure([&] { FileLock::take(file, 0ms); }).first == Code::node_lacks);
    CHECK(failure([&] { FileLock::take("", 0ms); }).first == Code::node_lacks);
}

// ---- open_netns, identify_netns ----------------------------------------------------------------------------------

TEST_CASE("a namespace is known by its identity, for as long as it lives")
{
    const PrivateNetns node;
    Child pod([] {
        if (::unshare(CLONE_NEWNET) != 0)
            ::_exit(1);
    });
    const fs::path path = "/proc/" + std::to_string(pod.pid()) + "/ns/net";
    const Netns netns = open_netns(path);

    CHECK(identify_netns(path) == netns.identity);
    CHECK(identify_netns("/proc/thread-self/ns/net").value() != netns.identity);
    CHECK(open_netns("/proc/thread-self/ns/net").identity == identify_netns("/proc/thread-self/ns/net"));
    pod.kill();
    CHECK_FALSE(identify_netns(path));
}

TEST_CASE("what is no network namespace is refused, without waiting for it")
{
    const TemporaryDirectory directory;
    const fs::path file = directory.path() / "file";
    const fs::path fifo = directory.path() / "fifo";
    std::ofstream(file) << "what `ip netns delete` may leave behind";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);

    for (const fs::path& path : {file, fifo, directory.path(), directory.path() / "missing", file / "below",
                                 fs::path("/proc/self/ns/uts"), fs::path()}) {
        INFO(path);
        CHECK_FALSE(identify_netns(path));
        const auto [code, text] = failure([&] { open_netns(path); });
        CHECK(code == Code::invalid_environment);
        CHECK_THAT(text, ContainsSubstring(path.string()));
    }
}

TEST_CASE("a namespace that can't be looked at is not called gone")
{
    const PrivateNetns node;
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const UniqueFd highest(::dup(STDERR_FILENO));
    const rlimit none{.rlim_cur = static_cast<rlim_t>(highest.get()) + 1, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const Code code = failure([] { identify_netns("/proc/self/ns/net"); }).first;
    const Code of_netlink = failure([] { read_node_network(); }).first;
    const Code of_listeners = failure([] { read_host_listeners(); }).first;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);

    CHECK(code == Code::io_failure);
    CHECK(of_netlink == Code::node_lacks);
    CHECK(of_listeners == Code::node_lacks);
}

}  // namespace sallyport
