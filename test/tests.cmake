# SPDX-License-Identifier: Apache-2.0
#
# The tests: a CTest label per tier (README.md).

include(CTest)

# Tests are no part of a release: what they link of the plugin is optimised, they themselves are compiled as fast as can be.
function(test_code target)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O0>)
endfunction()

# Sixteen files at a time: what each would instantiate again of nlohmann::json is most of its time. So file-local names differ within
# a tier and in support/. The preset `tidy` reads each file by itself.
function(compile_together target)
    if(NOT DEFINED CMAKE_UNITY_BUILD)
        set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
    endif()
endfunction()

# test/<tier>/*.cpp -> <tier>_tests, each test case a CTest test.
function(catch_tier tier)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/test/${tier}/*.cpp)
    if(NOT sources OR NOT tier IN_LIST SALLYPORT_TIERS)
        return()
    endif()
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "")
    add_executable(${tier}_tests ${sources})
    set(support test_support)
    if(tier STREQUAL unit)
        set(support unit_test_support)
    endif()
    target_link_libraries(${tier}_tests PRIVATE ${support} Catch2::Catch2WithMain)
    test_code(${tier}_tests)
    compile_together(${tier}_tests)
    target_precompile_headers(${tier}_tests REUSE_FROM unit_test_support)
    # 4 is Catch2's exit code for "skipped". Before Catch2 3.6 it was also that of four failed assertions: so stop at three.
    catch_discover_tests(${tier}_tests TEST_PREFIX "${tier}: " DISCOVERY_MODE PRE_TEST EXTRA_ARGS --abortx 3
        PROPERTIES LABELS ${tier} SKIP_RETURN_CODE 4 TIMEOUT ${arg_TIMEOUT})
endfunction()

# test/<tier>/*.sh, each a CTest test; exit code 77 means skipped.
function(script_tier tier)
    file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/test/${tier}/*.sh)
    if(NOT tier IN_LIST SALLYPORT_TIERS)
        return()
    endif()
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "")
    foreach(script IN LISTS scripts)
        get_filename_component(name ${script} NAME_WE)
        add_test(NAME "${tier}: ${name}" COMMAND ${script} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
        set_tests_properties("${tier}: ${name}" PROPERTIES LABELS ${tier} SKIP_RETURN_CODE 77 TIMEOUT ${arg_TIMEOUT}
            ENVIRONMENT "SALLYPORT_BIN=$<TARGET_FILE:sallyport>;SALLYPORT_BUILD=${PROJECT_BINARY_DIR}")
    endforeach()
endfunction()

if(BUILD_TESTING)
    find_package(Catch2 3 REQUIRED)
    include(Catch)

    # Tests look at the kernel with the same libraries, but are never asked to keep to the plugin's borders.
    function(test_library name)
        add_library(${name} STATIC ${ARGN})
        test_code(${name})
        compile_together(${name})
        target_link_libraries(${name}
            PUBLIC sallyport_core bpf_skeletons test_skeletons sallyport::bpf sallyport::nl_route nlohmann_json::nlohmann_json
                spdlog_header_only sallyport::nghttp2 protozero_header_only
            PRIVATE Catch2::Catch2)
        target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/test)
    endfunction()

    bpf_objects(test_skeletons ${PROJECT_SOURCE_DIR}/test/support/bpf)  # programs of others, that ours must get along with
    file(GLOB support_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/test/support/*.cpp)
    set(unit_support_sources ${support_sources})  # without a node, so that three builds needn't compile one
    list(FILTER unit_support_sources INCLUDE REGEX "/(cri_messages|cri_server|netns|places|prometheus|subprocess)\\.cpp$")
    list(REMOVE_ITEM support_sources ${unit_support_sources})
    test_library(unit_test_support ${unit_support_sources})
    target_precompile_headers(unit_test_support PRIVATE ${standard_headers} <catch2/catch_test_macros.hpp>)
    test_library(test_support ${support_sources})
    target_link_libraries(test_support PUBLIC unit_test_support)
    target_precompile_headers(test_support REUSE_FROM unit_test_support)
    # In one file alone: a path of this checkout makes each file that is told it another one elsewhere, for a cache too.
    set_source_files_properties(test/support/places.cpp PROPERTIES COMPILE_DEFINITIONS
        "SALLYPORT_BIN=\"$<TARGET_FILE:sallyport>\";SALLYPORT_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\";\
SALLYPORT_BUILD_DIR=\"${PROJECT_BINARY_DIR}\"")

    catch_tier(unit TIMEOUT 300)
    catch_tier(packet TIMEOUT 120)
    catch_tier(node TIMEOUT 1800)
    catch_tier(fuzz TIMEOUT 1800)
    catch_tier(gateways TIMEOUT 300)
    catch_tier(runtime TIMEOUT 300)
    script_tier(runtime TIMEOUT 600)
    script_tier(node TIMEOUT 600)
    script_tier(conf TIMEOUT 1200)
    script_tier(image TIMEOUT 4500)
    script_tier(lint TIMEOUT 4500)
    if(TARGET fuzz_tests)  # the same programs, tables and sockets
        target_sources(fuzz_tests PRIVATE test/packet/fixture.cpp test/packet/loading.cpp
            test/packet/packet_builder.cpp test/packet/scene.cpp)
    endif()
    # Tests run side by side. Those that build use both processors, and begin first; the node's mostly wait meanwhile.
    if(TEST "image: build")  # makes what the others look at, and they use its directories one at a time
        get_property(names DIRECTORY PROPERTY TESTS)
        list(FILTER names INCLUDE REGEX "^image: ")
        list(REMOVE_ITEM names "image: build")
        set_tests_properties("image: build" PROPERTIES FIXTURES_SETUP image PROCESSORS 2 COST 1000)
        set_tests_properties(${names} PROPERTIES FIXTURES_REQUIRED image RESOURCE_LOCK image)
    endif()
    if(TEST "lint: tidy")
        set_tests_properties("lint: tidy" PROPERTIES PROCESSORS 2 COST 1000)
    endif()
    if(TARGET node_tests)
        add_dependencies(node_tests sallyport)
    endif()
    if(TARGET gateways_tests)
        add_dependencies(gateways_tests sallyport)
        target_sources(gateways_tests PRIVATE test/node/sandbox_listener.cpp)
    endif()
    if(TARGET runtime_tests)
        add_executable(runtime_gateway test/runtime/image/gateway.cpp)  # what the pods run
        target_link_options(runtime_gateway PRIVATE -static -s)
        add_dependencies(runtime_tests sallyport runtime_gateway)
        target_sources(runtime_tests PRIVATE test/node/sandbox_listener.cpp)
        target_include_directories(runtime_tests PRIVATE plugin/cri)  # a kubelet speaks as our client does
        set(go_architecture_x86_64 amd64)
        set(go_architecture_aarch64 arm64)
        set_source_files_properties(test/runtime/containerd.cpp test/runtime/crio.cpp test/runtime/kubelet.cpp
            test/runtime/primary.cpp
            PROPERTIES COMPILE_DEFINITIONS "SALLYPORT_DEPS=\"${SALLYPORT_DEPS}\";\
GATEWAY_ARCHITECTURE=\"${go_architecture_${CMAKE_SYSTEM_PROCESSOR}}\"")
    endif()
endif()

# Both ends of an exchange in the guests of `make kernels`, which asks for it by name.
if(SALLYPORT_STATIC)
    file(GLOB peer_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/test/kernels/peer/*.cpp)
    add_executable(kernels_peer EXCLUDE_FROM_ALL ${peer_sources})
    target_link_libraries(kernels_peer PRIVATE sallyport_flags Threads::Threads)
    target_link_options(kernels_peer PRIVATE -static -s)
endif()
