# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# The .deb, by CPack (`make deb`). Static, so it depends on nothing and is good for every release of Debian and Ubuntu.

# People type `sallyport`, so it is in /usr/bin. /usr/lib/cni is where Debian keeps CNI plugins, and where its containerd, CRI-O
# and podman look; the link gives them the same file. /opt/cni/bin, where Kubernetes looks, isn't a package's to write to: that is
# what `sallyport install` does.
install(TARGETS sallyport DESTINATION bin)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/package)
file(CREATE_LINK ../../bin/sallyport ${PROJECT_BINARY_DIR}/package/sallyport SYMBOLIC)
install(FILES ${PROJECT_BINARY_DIR}/package/sallyport DESTINATION lib/cni)

install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/conf/deb/copyright DESTINATION share/doc/sallyport)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/conf/ DESTINATION share/doc/sallyport/examples
    FILES_MATCHING PATTERN deb EXCLUDE PATTERN image EXCLUDE PATTERN "*.conflist*" PATTERN "*.yaml" PATTERN "*.md")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sallyport)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "CNI plugin that puts gateway pods on the node's ports")
set(CPACK_PACKAGE_DESCRIPTION
"Chained after Cilium or another CNI plugin, it lets chosen pods serve ports
like 80 and 443 of their node with eBPF, keeps the client's address, and
hands a port from one pod to the next without losing a connection.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "The Sallyport Authors")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)  # Debian 11's dpkg knows no zstd
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL aarch64)  # else it would be the building machine's
    set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
endif()
include(CPack)
