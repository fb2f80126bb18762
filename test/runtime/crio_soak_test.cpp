// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A CRI-O that is killed again and again while its pods come and go: each keeps its addresses, and its node port
// answers throughout. Every pod has a node port of its own.
#include "crio.hpp"

#include "sallyport/error.hpp"
#include "support/soak.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/mount.h>

#include <atomic>
#include <deque>
#include <exception>
#include <iostream>
#include <mutex>
#include <random>
#include <set>
#include <thread>

using namespace sallyport;
using namespace sallyport::test;

namespace {

namespace fs = std::filesystem;

constexpr unsigned short first_port = 8000;

/// One pod as its kubelet wants it: always there.
struct Wanted
{
    unsigned number = 0;
    unsigned attempt = 0;
    std::string sandbox{};                 ///< the latest one's id
    std::vector<std::string> addresses{};  ///< as they were when it was new
    std::atomic<unsigned> steady{
        0};  ///< counts up when it starts to answer, and again before it ends: odd while it must
    std::string name() const { return "pod-" + std::to_string(number); }
    unsigned short port() const { return static_cast<unsigned short>(first_port + number); }
};

/// All that is wrong, by whichever thread finds it.
class Complaints
{
public:
    void add(const std::string& text)
    {
        const std::lock_guard lock(mutex_);
        if (lines_.size() < 20)
            lines_.push_back(text);
    }
    std::vector<std::string> all() const
    {
        const std::lock_guard lock(mutex_);
        return lines_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

/// Keeps the pods there, as a kubelet does after whatever its runtime did: what it can't tell, it makes anew.
class Keeper
{
public:
    Keeper(const Node& node, const Crio& crio, unsigned count) : node_(node), crio_(crio)
    {
        for (unsigned number = 0; number < count; ++number)
            pods_.emplace_back().number = number;
    }

    std::deque<Wanted>& pods() { return pods_; }

    /// Tries until it is there and answers.
    void make(Wanted& pod)
    {
        const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(5);
        for (; std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(std::chrono::milliseconds(100))) {
            try {
                clear(pod);
                ++pod.attempt;
                const std::string id =
                    crio_.run({.name = pod.name(),
                               .annotations = {{"sallyport.dev/expose", std::to_string(pod.port()) + ":9080"}},
                               .attempt = pod.attempt});
                const Sandbox said = crio_.client().inspect(id);
                {
                    const std::lock_guard lock(mutex_);
                    pod.sandbox = id;
                    pod.addresses = said.addresses;
                }
                if (const std::string wrong = wait_for_answer(pod); !wrong.empty())
                    complaints.add(wrong);
                else
                    ++pod.steady;
                return;
            } catch (const Error& error) {
                note(error);  // CRI-O was killed meanwhile, or what it left of this pod is in the way
            }
        }
        complaints.add(pod.name() + " can't be made");
    }

    void end(Wanted& pod)
    {
        if (pod.steady % 2 == 1)
            ++pod.steady;
        const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(5);
        for (; std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(std::chrono::milliseconds(100))) {
            try {
                clear(pod);
                return;
            } catch (const Error& error) {
                note(error);
            }
        }
        complaints.add(pod.name() + " can't be ended");
    }

    /// Every steady pod, as CRI-O tells it. Called while it runs.
    void check_addresses()
    {
        for (Wanted& pod : pods_) {
            const unsigned before = pod.steady;
            if (before % 2 == 0)
                continue;
            const auto [sandbox, addresses] = identity(pod);
            try {
                const Sandbox said = crio_.client().inspect(sandbox);
                if (pod.steady == before && (said.addresses != addresses || addresses.size() != 2 || !said.ready))
                    complaints.add(pod.name() + " has " + std::to_string(said.addresses.size()) +
                                   " addresses, ready: " + (said.ready ? "yes" : "no"));
            } catch (const Error& error) {
                if (pod.steady == before)
                    complaints.add(pod.name() + ": " + error.what());
            }
        }
    }

    /// What the pod's node port says, where it isn't the pod's name and the client's address.
    std::string wrong_answer(const Wanted& pod) const
    {
        for (const auto& [address, client] : {std::pair(node_v4, client_v4), std::pair(node_v6, client_v6)})
            if (const std::string answer = ask_tcp(node_.client, {address, pod.port()});
                answer != pod.name() + ' ' + client)
                return pod.name() + " at " + address + ": " + answer;
        return "";
    }

    /// For all pods, eight at a time: most of a pod's start is ptp's waiting until no other host has its address.
    void for_all(void (Keeper::*work)(Wanted&))
    {
        std::atomic<std::size_t> next{0};
        std::vector<std::thread> threads;
        for (int count = 0; count < 8; ++count)
            threads.emplace_back([&] {
                for (std::size_t number = next++; number < pods_.size(); number = next++)
                    (this->*work)(pods_[number]);
            });
        for (std::thread& thread : threads)
            thread.join();
    }

    std::string last_error() const
    {
        const std::lock_guard lock(mutex_);
        return last_error_;
    }

    Complaints complaints;

private:
    void note(const Error& error)
    {
        const std::lock_guard lock(mutex_);
        last_error_ = error.what();
    }

    void clear(Wanted& pod)
    {
        for (const Sandbox& sandbox : crio_.client().list_sandboxes())
            if (sandbox.pod_name == pod.name())
                crio_.stop_and_remove(sandbox.id);
    }

    std::pair<std::string, std::vector<std::string>> identity(const Wanted& pod) const
    {
        const std::lock_guard lock(mutex_);
        return {pod.sandbox, pod.addresses};
    }

    std::string wait_for_answer(const Wanted& pod) const
    {
        const auto end = std::chrono::steady_clock::now() + patience;
        std::string wrong;
        do {
            if (wrong = wrong_answer(pod); wrong.empty())
                return wrong;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        } while (std::chrono::steady_clock::now() < end);
        return wrong;
    }

    const Node& node_;
    const Crio& crio_;
    std::deque<Wanted> pods_;
    std::string last_error_;
    mutable std::mutex mutex_;  ///< for what one thread changes and another one reads
};

/// Namespaces that CRI-O has forgotten by dying while it made a pod: nobody but the machine's next start would remove
/// them.
unsigned remove_forgotten_namespaces(const std::set<std::string>& others)
{
    unsigned count = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator("/run/netns"))
        if (!others.contains(entry.path().filename().string())) {
            umount2(entry.path().c_str(), MNT_DETACH);
            count += fs::remove(entry.path()) ? 1 : 0;
        }
    return count;
}

std::set<std::string> namespaces()
{
    std::set<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator("/run/netns"))
        names.insert(entry.path().filename().string());
    return names;
}

}  // namespace

TEST_CASE("pods of a CRI-O that is killed at random keep their addresses and answer", "[.][crio][load]")
{
    LocalNode node;
    const std::set<std::string> not_pods = namespaces();
    Crio crio(node);
    const unsigned count = amount(12U, 200U);
    const unsigned kills = amount(3U, 20U);
    std::random_device::result_type seed = std::random_device()();
    std::cout << "seed " << seed << ", " << count << " pods, " << kills << " kills\n";
    std::mt19937 random(seed);
    const auto any_of = [&random](unsigned from, unsigned to) {
        return std::uniform_int_distribution<unsigned>(from, to)(random);
    };
    Keeper keeper(node, crio, count);
    keeper.for_all(&Keeper::make);
    REQUIRE(keeper.complaints.all() == nothing);

    std::atomic<bool> stop{false};
    std::atomic<unsigned> answers{0};
    std::atomic<unsigned> renewed{0};
    std::thread asking([&] {
        while (!stop)
            for (Wanted& pod : keeper.pods()) {
                const unsigned before = pod.steady;
                if (before % 2 == 0)
                    continue;
                if (const std::string wrong = keeper.wrong_answer(pod); !wrong.empty() && pod.steady == before)
                    keeper.complaints.add(wrong);
                answers += 2;
            }
    });
    std::vector<std::thread> coming_and_going;  // the first third stays as it is, the others have four keepers
    for (unsigned who = 0; who < 4; ++who)
        coming_and_going.emplace_back([&, who, own = std::mt19937(seed + 1 + who)]() mutable {
            for (; !stop; ++renewed) {
                const unsigned fours = (count - count / 3) / 4;
                Wanted& pod =
                    keeper.pods()[count / 3 + 4 * std::uniform_int_distribution<unsigned>(0, fours - 1)(own) + who];
                keeper.end(pod);
                keeper.make(pod);
            }
        });
    try {
        for (unsigned killed = 0; killed < kills; ++killed) {
            std::this_thread::sleep_for(std::chrono::milliseconds(any_of(100, 3000)));
            crio.kill();
            std::this_thread::sleep_for(std::chrono::milliseconds(any_of(0, 1000)));
            crio.start();
            keeper.check_addresses();
        }
    } catch (const std::exception& error) {
        keeper.complaints.add(error.what());
    }
    stop = true;
    for (std::thread& thread : coming_and_going)
        thread.join();
    asking.join();

    keeper.check_addresses();
    std::cout << answers << " answers, " << renewed
              << " pods made anew; CRI-O's latest refusal: " << keeper.last_error() << '\n';
    INFO(crio.log());
    CHECK(keeper.complaints.all() == nothing);
    CHECK(crio.client().list_sandboxes().size() == count);

    keeper.for_all(&Keeper::end);
    crio.kill();  // the next start's GC is told that there is nobody
    crio.start();
    if (crio.list_version() == "1.1.0")
        CHECK(node.settled_footprint() == nothing);
    std::cout << remove_forgotten_namespaces(not_pods) << " namespaces were forgotten by CRI-O\n";
    crio.stop_and_remove(crio.run());
    CHECK(keeper.complaints.all() == nothing);
    CHECK(node.settled_footprint() == nothing);
    std::vector<std::string> programs = node.cgroup.programs();
    std::erase_if(programs, [](const std::string& line) {  // runc's, of a container that CRI-O has forgotten too
        return line.find("cgroup_device") != std::string::npos;
    });
    CHECK(programs == nothing);
}
