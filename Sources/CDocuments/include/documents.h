#pragma once
#include <stddef.h>

// The files of OutboxAPI/Documents, as bytes. In Swift's own `embedInCode` the larger of them takes a minute to compile.
struct ob_document { const unsigned char *start; size_t length; };

struct ob_document ob_openapi(void);
struct ob_document ob_llms(void);
struct ob_document ob_onboarding_page(void);
struct ob_document ob_inbox_page(void);
