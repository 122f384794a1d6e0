#include "documents.h"

// #embed: C23, 6.10.4.
static const unsigned char openapi[] = {
#embed "../OutboxAPI/Documents/openapi.json"
};

static const unsigned char llms[] = {
#embed "../OutboxAPI/Documents/llms.txt"
};

struct ob_document ob_openapi(void) { return (struct ob_document){openapi, sizeof openapi}; }
struct ob_document ob_llms(void) { return (struct ob_document){llms, sizeof llms}; }
