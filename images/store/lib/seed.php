<?php
/** The web container's first step: prove that wp-content can be written, then bring the image's plugins and themes. */

declare(strict_types=1);

namespace Urumi;

require __DIR__ . '/autoload.php';

try {
    $problem = Seed\Writable::problem(Store::CONTENT, 'web');
    if ($problem !== null) {
        throw new \RuntimeException($problem);
    }
    $brought = (new Seed\Seeder(Store::BUNDLE, Store::CONTENT, Store::RECORDS))->run();
    fwrite(STDERR, 'urumi-seed: ' . ($brought ? 'brought ' . implode(', ', $brought) : 'nothing to bring') . "\n");
} catch (\Throwable $error) {
    fwrite(STDERR, 'urumi-seed: ' . $error->getMessage() . "\n");
    exit(1);
}
