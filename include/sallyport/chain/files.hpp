// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whole files or none: what we write into directories that others read appears in one step, and what others have put
// there meanwhile is never lost. All of it is on disk when it appears, as nodes lose power.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

/// Tells a file's content from every other that stood under the same name.
struct FileVersion
{
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified = 0;  ///< ns since the epoch

    bool operator==(const FileVersion&) const = default;
};

struct FileContent
{
    std::filesystem::path path;
    std::string text;
    FileVersion version;
    mode_t mode = 0;
    uid_t user = 0;
    gid_t group = 0;
    bool link = false;  ///< the name is a symbolic link
};

/// nullopt where there is no such file, or no regular one. Throws Error where it can't be read, or is larger than a
/// runtime reads (2 MiB).
std::optional<FileContent> read_file(const std::filesystem::path& path);

/// A new file with a name that no runtime reads, in the directory where it will be needed; gone with the object.
class Temporary
{
public:
    /// Throws Error where the directory can't be written; the message says why and what to do.
    static Temporary in(const std::filesystem::path& directory);

    Temporary(Temporary&& other) noexcept;
    Temporary& operator=(Temporary&&) = delete;
    ~Temporary();

    const std::filesystem::path& path() const { return path_; }
    int fd() const { return fd_.get(); }

    void write(std::string_view piece);

    /// Sets mode and owner, and waits until the disk has it. To be called when all is written.
    void finish(mode_t mode, uid_t user, gid_t group);

    /// Takes a name, whatever stands there.
    void rename_to(const std::filesystem::path& target);

private:
    Temporary(std::filesystem::path path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    std::filesystem::path path_;
    UniqueFd fd_;
};

bool is_our_temporary(std::string_view file_name);

/// What killed processes of ours have left. The caller holds the directory's lock.
void remove_temporaries(const std::filesystem::path& directory);

/// The right to write into a directory, among our own processes; nullopt while another one has it, or where there is no
/// such directory.
std::optional<UniqueFd> try_lock_directory(const std::filesystem::path& directory);

/// The same, after some seconds of waiting at the most. Whoever goes on without it then isn't hindered for ever by one
/// that hangs.
std::optional<UniqueFd> lock_directory(const std::filesystem::path& directory);

/// Writes a file of our own, 0644.
void put_file(const std::filesystem::path& path, std::string_view text);

/// Gives somebody's file another content, with its mode and owner, and says what stands there now. nullopt where it
/// isn't any more as it was read: then it is as its owner wrote it last, also where that happened in this very moment.
std::optional<FileVersion> replace_content(const FileContent& file, std::string_view text);

/// Removes a file; false where there is none.
bool remove_file(const std::filesystem::path& path);

}  // namespace sallyport
