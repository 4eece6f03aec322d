<?php
/** Finds the class Urumi\A\B in A/B.php beside this file. */

declare(strict_types=1);

spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'Urumi\\')) {
        $file = __DIR__ . '/' . strtr(substr($class, 6), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
