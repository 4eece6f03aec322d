<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Store;

/** Asks the web container, over 127.0.0.1, as a shopper would through the ingress. */
final class Web
{
    private const LARGEST = 2 * 1024 * 1024; // bytes of a body that are looked at

    /**
     * The status and body of one page; status 0 if there was no answer in time.
     *
     * @param array<string, string> $form Sent as a POST if there is any.
     * @return array{status: int, body: string, headers: list<string>}
     */
    public static function ask(string $path, float $seconds = 10.0, array $form = []): array
    {
        $front = Store::front();
        $headers = ["Host: {$front['host']}", "X-Forwarded-Proto: {$front['scheme']}", 'Connection: close'];
        $options = [
            'method' => $form ? 'POST' : 'GET',
            'protocol_version' => 1.1,
            'timeout' => $seconds,
            'follow_location' => 0,
            'ignore_errors' => true,
            'user_agent' => 'urumi-agent',
        ];
        if ($form) {
            $headers[] = 'Content-Type: application/x-www-form-urlencoded';
            $options['content'] = http_build_query($form);
        }
        $options['header'] = $headers;
        $stream = @fopen('http://127.0.0.1' . $path, 'r', false, stream_context_create(['http' => $options]));
        if ($stream === false) {
            return ['status' => 0, 'body' => '', 'headers' => []];
        }
        $body = stream_get_contents($stream, self::LARGEST);
        $meta = stream_get_meta_data($stream);
        fclose($stream);
        /** @var list<string> $answer */
        $answer = $meta['wrapper_data'] ?? [];
        $whole = $body !== false && !$meta['timed_out'];
        $status = $whole && preg_match('#^HTTP/\S+ (\d+)#', $answer[0] ?? '', $found) ? (int) $found[1] : 0;
        return ['status' => $status, 'body' => (string) $body, 'headers' => $answer];
    }
}
