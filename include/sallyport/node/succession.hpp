// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which of several agents on one node is in charge: the one that began last, while it lives. An update may start the
// next one before it ends this one; of two builds, each would put its own programs in place of the other's.
//
//   <stateDir>/agents/<n>   one for each agent, the later the higher; locked (flock) while it lives. Says where it
//                           serves HTTP, as `--listen` does; nothing where it doesn't
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace sallyport {

class Succession
{
public:
    /// Begins: from now on all agents before are not in charge. Waits for nobody but for a command that has the lock.
    /// Throws Error: as FileLock::take(), and io_failure.
    static Succession enter(const std::filesystem::path& state_dir);

    Succession(Succession&&) noexcept = default;
    Succession& operator=(Succession&&) = delete;
    ~Succession();

    /// Has no agent begun since, that still lives?
    bool in_charge() const;

    /// Can others still see us there? Not where the directory is another one by now, or was emptied.
    bool stands_in(const std::filesystem::path& state_dir) const;

    /// Where we serve HTTP; for find_agents().
    void tell(const std::string& listen) const;

private:
    bool is_ours() const;
    Succession(std::filesystem::path directory, std::uint64_t number, UniqueFd lock);

    std::filesystem::path directory_;
    std::uint64_t number_;
    UniqueFd lock_;
};

struct FoundAgents
{
    bool any = false;    ///< at least one lives
    std::string listen;  ///< where the one in charge serves HTTP; "" where it doesn't
    bool died = false;   ///< what one has left that was killed, or crashed, is still there
};

/// Changes nothing. None where there is no such directory.
FoundAgents find_agents(const std::filesystem::path& state_dir);

/// Removes what agents have left that live no more, and the directory where it is empty then. The caller holds the
/// lock.
void forget_dead_agents(const std::filesystem::path& state_dir) noexcept;

}  // namespace sallyport
