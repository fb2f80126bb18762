// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A runtime's CNI directory, a keeper of our entry in it, and a clock that the test moves.
#pragma once

#include "sallyport/chain/conflist.hpp"
#include "sallyport/chain/keeper.hpp"

#include "support/content.hpp"
#include "support/temporary_directory.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace sallyport::test {

inline const std::string list = R"({
  "cniVersion": "0.3.1",
  "name": "cilium",
  "plugins": [
    {
       "type": "cilium-cni"
    }
  ]
})";

inline const std::string settings = R"({"gateways":{"namespaces":["apisix"]}})";

/// A node's CNI directory, and a keeper.
class ChainStage
{
public:
    explicit ChainStage(ChainMethod method = ChainMethod::conflist)
        : keeper(directory.path() / "net.d", method, [this] { return now; })
    {
        std::filesystem::create_directory(net());
        keeper.set_entry(settings);
    }

    TemporaryDirectory directory;
    Instant now{std::chrono::hours(1)};
    ChainKeeper keeper;

    std::filesystem::path net() const { return directory.path() / "net.d"; }
    std::filesystem::path cilium() const { return net() / "05-cilium.conflist"; }
    std::filesystem::path drop_in(const std::string& network = "cilium") const
    {
        return net() / network / "90-sallyport.conf";
    }

    void write(const std::filesystem::path& path, const std::string& text) const
    {
        std::ofstream(path.string() + ".new") << text;
        std::filesystem::rename(path.string() + ".new", path);
    }

    /// Looks until the keeper has nothing more to do soon.
    ChainReport settle()
    {
        ChainReport report;
        for (int i = 0; i < 20; i++) {
            now += std::chrono::milliseconds(50);
            report = keeper.keep();
        }
        return report;
    }

    std::set<std::string> names(const std::filesystem::path& path) const
    {
        std::set<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(path))
            found.insert(entry.path().filename().string());
        return found;
    }

    std::set<std::string> names() const { return names(net()); }
};

using Names = std::set<std::string>;
inline const std::string with_ours = with_entry(list, complete_entry(settings));

}  // namespace sallyport::test
