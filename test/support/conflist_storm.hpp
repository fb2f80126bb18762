// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The primary plugin's agent as the runtime's CNI directory knows it: somebody who writes its list, in every way that
// agents were seen to do it, and a runtime that reads all the time and knows what it may find. Each list that is
// written carries the next number, so that an older one is recognised.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace sallyport::test {

class ListWriter
{
public:
    explicit ListWriter(std::filesystem::path directory, unsigned seed) : directory_(std::move(directory)), dice_(seed)
    {}

    std::filesystem::path file() const { return directory_ / "05-cilium.conflist"; }

    /// The list of this number, as Cilium's template has it.
    static std::string list(int number);

    /// The number of the last list that was written whole.
    int last() const { return last_; }

    void write_whole();      ///< as Cilium does: another file, renamed
    void write_in_pieces();  ///< truncated and written bit by bit, as agents with a shell do
    void set_aside();        ///< renamed to .cilium_bak, and soon written anew
    void delete_and_write();

    /// One of these, or another file that comes and goes.
    void change_something();

    /// Changes things 20 times a second, at random.
    void storm(std::chrono::milliseconds time);

private:
    void pause(int most_ms);

    std::filesystem::path directory_;
    std::mt19937 dice_;
    std::atomic<int> last_{0};
    int next_ = 0;
};

/// Reads as a runtime does, as often as it can, in a thread of its own.
class ListReader
{
public:
    ListReader(const ListWriter& writer, std::filesystem::path directory, std::string entry);
    ListReader(const ListReader&) = delete;
    ListReader& operator=(const ListReader&) = delete;
    ~ListReader();

    /// Is the last list there, whole, with our entry?
    bool in_place() const;

    /// What it should never have seen, in words; to be asked after stop().
    const std::vector<std::string>& complaints() const { return complaints_; }
    int readings() const { return readings_; }
    void stop();

private:
    void read();
    void judge(const std::string& text, int written);

    const ListWriter& writer_;
    std::filesystem::path directory_;
    std::string entry_;
    std::vector<std::string> complaints_;
    std::atomic<int> readings_{0};
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

/// Cilium with `cni.exclusive=true`: whatever happens in its directory, its list is written anew where a byte of it
/// differs, and other lists are set aside.
class ExclusiveOwner
{
public:
    explicit ExclusiveOwner(std::filesystem::path directory);
    ExclusiveOwner(const ExclusiveOwner&) = delete;
    ExclusiveOwner& operator=(const ExclusiveOwner&) = delete;
    ~ExclusiveOwner();

    int reactions() const { return reactions_; }

private:
    void reconcile();

    std::filesystem::path directory_;
    std::atomic<int> reactions_{0};
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

}  // namespace sallyport::test
