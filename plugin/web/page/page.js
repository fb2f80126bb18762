/* Copyright The Sallyport Authors. SPDX-License-Identifier: Apache-2.0 */
