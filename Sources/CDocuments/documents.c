#include "documents.h"

// #embed: C23, 6.10.4.
static const unsigned char openapi[] = {
#embed "../OutboxAPI/Documents/openapi.json"
};

static const unsigned char llms[] = {
#embed "../OutboxAPI/Documents/llms.txt"
};

static const unsigned char onboarding_page[] = {
#embed "../OutboxAPI/Documents/onboard.html"
};

static const unsigned char inbox_page[] = {
#embed "../OutboxAPI/Documents/inbox.html"
};

struct ob_document ob_onboarding_page(void) {
    return (struct ob_document){onboarding_page, sizeof onboarding_page};
}
struct ob_document ob_inbox_page(void) { return (struct ob_document){inbox_page, sizeof inbox_page}; }
struct ob_document ob_openapi(void) { return (struct ob_document){openapi, sizeof openapi}; }
struct ob_document ob_llms(void) { return (struct ob_document){llms, sizeof llms}; }
