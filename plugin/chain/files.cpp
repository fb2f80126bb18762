// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/chain/files.hpp"

#include "sallyport/error.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>

namespace sallyport {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view temporary_start = ".sallyport-";
constexpr std::string_view temporary_end = ".tmp";
constexpr off_t largest_file = 2 << 20;  // go-cni's limit

[[noreturn]] void fail(const std::string& action, const fs::path& path, int error)
{
    std::string advice;
    if (error == EROFS)
        advice = "; the file system is read-only: give the directory that this node's runtime uses (--cni-bin-dir, "
                 "--cni-conf-dir), and mount it writable into the pod";
    else if (error == EACCES || error == EPERM)
        advice = "; run as root with DAC_OVERRIDE, and see the node's audit log for SELinux or AppArmor";
    else if (error == ENOSPC || error == EDQUOT)
        advice = "; free some space there";
    else if (error == ENOENT || error == ENOTDIR)
        advice = "; give the directory that this node's runtime uses (--cni-bin-dir, --cni-conf-dir)";
    throw Error(Code::io_failure, action + " " + path.string() + ": " + errno_text(error) + advice);
}

FileVersion version_of(const struct stat& status)
{
    constexpr std::int64_t second = 1'000'000'000;
    return {status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec * second + status.st_mtim.tv_nsec};
}

std::optional<FileVersion> version_at(const fs::path& path)
{
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0)
        return std::nullopt;
    return version_of(status);
}

/// A rename is on disk when its directory is. A failure here loses nothing but that.
void sync_directory(const fs::path& directory)
{
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd)
        ::fsync(fd.get());
}

/// For file systems that can't exchange two names: between the last look and the rename another writer's content could
/// still be lost, and would come back with its next write.
std::optional<FileVersion> replace_unexchanged(const FileContent& file, Temporary& temporary)
{
    const auto version = version_at(temporary.path());
    const auto now = read_file(file.path);
    if (!now || now->version != file.version || now->text != file.text)
        return std::nullopt;
    temporary.rename_to(file.path);
    return version;
}

}  // namespace

std::optional<FileContent> read_file(const fs::path& path)
{
    // O_NONBLOCK: a FIFO of that name would hold us for ever.
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR || errno == ENXIO)
            return std::nullopt;
        fail("read", path, errno);
    }
    if (!S_ISREG(status.st_mode))
        return std::nullopt;
    std::error_code ignored;
    FileContent file{path,
                     {},
                     version_of(status),
                     status.st_mode & 07777,
                     status.st_uid,
                     status.st_gid,
                     fs::is_symlink(path, ignored)};
    std::array<char, 8192> buffer{};
    ssize_t size = 0;
    while ((size = ::read(fd.get(), buffer.data(), buffer.size())) > 0) {
        file.text.append(buffer.data(), static_cast<std::size_t>(size));
        if (file.text.size() > static_cast<std::size_t>(largest_file))
            throw Error(Code::io_failure, "read " + path.string() + ": it is larger than 2 MiB, which runtimes refuse");
    }
    if (size < 0)
        fail("read", path, errno);
    return file;
}

Temporary Temporary::in(const fs::path& directory)
{
    static std::atomic<unsigned> number{0};
    for (;;) {
        const fs::path path = directory / (std::string(temporary_start) + std::to_string(::getpid()) + "-" +
                                           std::to_string(number++) + std::string(temporary_end));
        UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (fd)
            return {path, std::move(fd)};
        if (errno != EEXIST)  // of a process in another pid namespace
            fail("write in", directory, errno);
    }
}

Temporary::Temporary(Temporary&& other) noexcept : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}

Temporary::~Temporary()
{
    if (!path_.empty())
        ::unlink(path_.c_str());
}

void Temporary::write(std::string_view piece)
{
    while (!piece.empty()) {
        const ssize_t written = ::write(fd_.get(), piece.data(), piece.size());
        if (written < 0 && errno != EINTR)
            fail("write", path_, errno);
        piece.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
}

void Temporary::finish(mode_t mode, uid_t user, gid_t group)
{
    if (::fchown(fd_.get(), user, group) != 0 || ::fchmod(fd_.get(), mode) != 0)
        fail("set mode and owner of", path_, errno);
    if (::fsync(fd_.get()) != 0)
        fail("write", path_, errno);
    fd_ = UniqueFd();  // a program that is open for writing can't be started
}

void Temporary::rename_to(const fs::path& target)
{
    if (::rename(path_.c_str(), target.c_str()) != 0)
        fail("replace", target, errno);
    path_.clear();
    sync_directory(target.parent_path());
}

bool is_our_temporary(std::string_view file_name)
{
    return file_name.starts_with(temporary_start) && file_name.ends_with(temporary_end);
}

void remove_temporaries(const fs::path& directory)
{
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
        if (is_our_temporary(entry->path().filename().string()))
            ::unlink(entry->path().c_str());
}

std::optional<UniqueFd> try_lock_directory(const fs::path& directory)
{
    UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK))
        return std::nullopt;
    return fd;
}

std::optional<UniqueFd> lock_directory(const fs::path& directory)
{
    constexpr int tries = 250;
    constexpr std::chrono::milliseconds between_tries{20};
    std::error_code error;
    std::optional<UniqueFd> lock;
    for (int i = 0; i < tries && fs::exists(directory, error) && !(lock = try_lock_directory(directory)); i++)
        std::this_thread::sleep_for(between_tries);
    return lock;
}

void put_file(const fs::path& path, std::string_view text)
{
    Temporary temporary = Temporary::in(path.parent_path());
    temporary.write(text);
    temporary.finish(0644, ::geteuid(), ::getegid());
    temporary.rename_to(path);
}

std::optional<FileVersion> replace_content(const FileContent& file, std::string_view text)
{
    Temporary temporary = Temporary::in(file.path.parent_path());
    temporary.write(text);
    temporary.finish(file.mode, file.user, file.group);

    if (version_at(file.path) != file.version)
        return std::nullopt;
    // The two names change places, so that what stood there is still in our hands and can be looked at: a check before
    // a rename would always leave a moment in which the owner's next content is overwritten, and lost.
    auto placed = version_at(temporary.path());
    auto expected = std::optional(file.version);
    for (bool ours = true;; ours = false) {
        if (::renameat2(AT_FDCWD, temporary.path().c_str(), AT_FDCWD, file.path.c_str(), RENAME_EXCHANGE) != 0) {
            if (ours && (errno == EINVAL || errno == ENOSYS))
                return replace_unexchanged(file, temporary);
            if (errno == ENOENT)  // its owner has removed it
                return std::nullopt;
            fail("replace", file.path, errno);
        }
        const auto found = version_at(temporary.path());
        const auto content = found == expected && ours ? read_file(temporary.path()) : std::nullopt;
        if (found == expected && (!ours || (content && content->text == file.text))) {
            sync_directory(file.path.parent_path());
            return ours ? placed : std::nullopt;
        }
        // Its owner was faster, and what he wrote is in our hands: it goes back, in the same way.
        expected = placed;
        placed = found;
    }
}

bool remove_file(const fs::path& path)
{
    if (::unlink(path.c_str()) == 0) {
        sync_directory(path.parent_path());
        return true;
    }
    if (errno != ENOENT && errno != ENOTDIR)
        fail("remove", path, errno);
    return false;
}

}  // namespace sallyport
