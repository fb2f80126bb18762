// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/chain/binary.hpp"

#include "sallyport/chain/files.hpp"
#include "sallyport/error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <vector>

namespace sallyport {
namespace {

namespace fs = std::filesystem;

constexpr mode_t executable = 0755;
constexpr std::size_t piece_size = 1 << 20;
constexpr const char* places =
    " (--cni-bin-dir: /opt/cni/bin on most nodes, Talos and RKE2 among them; /var/lib/rancher/k3s/data/cni on k3s)";

void check_directory(const fs::path& directory)
{
    struct stat status{};
    if (::stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
        throw Error(Code::node_lacks, directory.string() +
                                          ": no such directory; give the one where this node's runtime "
                                          "looks for plugins, mounted into the pod" +
                                          places);
    struct statvfs file_system{};
    if (::statvfs(directory.c_str(), &file_system) != 0)
        return;
    if ((file_system.f_flag & ST_NOEXEC) != 0)
        throw Error(Code::node_lacks, directory.string() +
                                          " is on a file system mounted noexec, from which no runtime "
                                          "can start a plugin; give another directory" +
                                          places + ", or mount it exec");
    if ((file_system.f_flag & ST_RDONLY) != 0)
        throw Error(Code::node_lacks, directory.string() +
                                          " is on a read-only file system; give the directory where "
                                          "this node's runtime looks for plugins" +
                                          places + ", and mount it writable into the pod");
}

/// Hands out the file's content piece by piece, until `take` returns false.
template <typename Take>
void read_in_pieces(int fd, const fs::path& path, Take&& take)
{
    std::vector<char> buffer(piece_size);
    for (ssize_t size = 0;;) {
        size = ::read(fd, buffer.data(), buffer.size());
        if (size == 0)
            return;
        if (size < 0 && errno != EINTR)
            throw Error(Code::io_failure, "read " + path.string() + ": " + errno_text(errno));
        if (size > 0 && !take(std::string_view(buffer.data(), static_cast<std::size_t>(size))))
            return;
    }
}

UniqueFd open_source(const fs::path& source, off_t& size)
{
    UniqueFd fd(::open(source.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0)
        throw Error(Code::io_failure, "read " + source.string() + ": " + errno_text(errno));
    size = status.st_size;
    return fd;
}

/// Does the same content stand there, ready to be started?
bool is_installed(const fs::path& source, const fs::path& target)
{
    off_t size = 0;
    const UniqueFd wanted = open_source(source, size);
    const UniqueFd found(::open(target.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    struct stat status{};
    if (!found || ::fstat(found.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size != size ||
        (status.st_mode & 07777) != executable)
        return false;
    bool same = true;
    std::vector<char> buffer(piece_size);
    off_t at = 0;
    read_in_pieces(wanted.get(), source, [&](std::string_view piece) {
        const ssize_t length = ::pread(found.get(), buffer.data(), piece.size(), at);
        at += static_cast<off_t>(piece.size());
        same = length == static_cast<ssize_t>(piece.size()) && piece == std::string_view(buffer.data(), piece.size());
        return same;
    });
    return same;
}

void copy(const fs::path& source, Temporary& temporary)
{
    off_t size = 0;
    const UniqueFd from = open_source(source, size);
    read_in_pieces(from.get(), source, [&](std::string_view piece) {
        temporary.write(piece);
        return true;
    });
    struct stat written{};
    if (::fstat(temporary.fd(), &written) != 0 || written.st_size != size)
        throw Error(Code::io_failure, "copy " + source.string() + ": " + std::to_string(written.st_size) + " of " +
                                          std::to_string(size) + " bytes arrived in " + temporary.path().string());
}

}  // namespace

fs::path installed_binary(const fs::path& bin_dir)
{
    return bin_dir / "sallyport";
}

bool install_binary(const fs::path& source, const fs::path& bin_dir)
{
    try {
        check_directory(bin_dir);
        const auto lock = lock_directory(bin_dir);
        remove_temporaries(bin_dir);
        if (is_installed(source, installed_binary(bin_dir)))
            return false;
        Temporary temporary = Temporary::in(bin_dir);
        copy(source, temporary);
        temporary.finish(executable, ::geteuid(), ::getegid());
        temporary.rename_to(installed_binary(bin_dir));
        return true;
    } catch (const Error& error) {
        throw error.during("install the plugin");
    }
}

bool remove_binary(const fs::path& bin_dir)
{
    const auto lock = lock_directory(bin_dir);
    remove_temporaries(bin_dir);
    return remove_file(installed_binary(bin_dir));
}

}  // namespace sallyport
